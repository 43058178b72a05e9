"""Rules 1, 2 and 5 of docs/protocol.md: sync first, move `since` late, heartbeat.

Differs from sync.js: at first, the latest messages of every conversation are fetched, of one without unread ones too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import frames
from .blocks import Blocks
from .connections import Connections
from .conversation import Latest
from .conversations import Conversations
from .epoch import Epoch
from .errors import ParleyError, Refused, WrongUser
from .expiry import Expiry
from .frames import Frame
from .gaps import Gaps
from .hints import Hints
from .receipts import Receipts
from .requests import Ask, Lost, Requests, Script
from .timers import Timer, Timers

DEFAULT_HEARTBEAT_MS = 270_000
MIN_HEARTBEAT_MS = 60_000
MAX_HEARTBEAT_MS = 480_000  # API Gateway ends a connection after 10 idle minutes
HEARTBEAT_SPREAD = 1 / 9  # 4 to 5 minutes, around the 4.5 that the server names


@dataclass(slots=True)
class _Round:
    """One `sync` of several pages, and the `history` calls that it leads to."""

    connection: int
    is_second: bool
    """Whether it follows another round at once. None follows it for its pages."""
    behind: set[str]
    """Peers whose conversations have something missing that this round, or a push during it, has shown."""
    request: str = ""
    server_time: int | None = None
    pages: int = 0
    is_listed: bool = False


class Sync:
    """Finds out what was missed."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        *,
        epoch: Epoch,
        gaps: Gaps,
        expiry: Expiry,
        receipts: Receipts,
        blocks: Blocks,
        hints: Hints,
        timers: Timers,
        rng: random.Random,
        backlog: int,
        fail: Callable[[ParleyError], None],
    ) -> None:
        self.since: int | None = None
        self.is_needed = False
        """Whether something came that only a sync can make sense of."""
        self.max_text_bytes = frames.DEFAULT_TEXT_BYTES
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._epoch = epoch
        self._gaps = gaps
        self._expiry = expiry
        self._receipts = receipts
        self._blocks = blocks
        self._hints = hints
        self._timers = timers
        self._random = rng
        self._backlog = backlog
        self._fail = fail
        self._round: _Round | None = None
        self._heartbeat: Timer | None = None
        self._heartbeat_ms = DEFAULT_HEARTBEAT_MS

    @property
    def waits_for(self) -> str:
        """What a first sync waits for."""
        if self._round and self._round.is_listed:
            return f"the history of {len(self._round.behind)} conversations"
        return "the chat list"

    def start(self, connection: int, *, is_second: bool = False) -> None:
        """Syncs over the connection, instead of any other sync that is under way."""
        self.stop()
        behind = {conversation.peer for conversation in self._conversations if self._gaps.is_behind(conversation)}
        self._round = _Round(connection, is_second, behind)
        self._requests.run(self._list(self._round))

    def stop(self) -> None:
        """Gives up the sync that is under way."""
        if self._round:
            self._requests.cancel(self._round.request)
        self._round = None

    def lose(self, connection: int) -> None:
        """A connection has ended."""
        if self._round and self._round.connection == connection:
            self._round = None
            self._arm_heartbeat()  # one that came meanwhile has passed, and there may be another connection

    def start_if_needed(self) -> None:
        current = self._connections.current
        if self.is_needed and self._round is None and current is not None:
            self.is_needed = False
            self.start(current)

    def finish(self) -> bool:
        """Rule 2. Moves `since` once all that the sync has shown to be missing was fetched. Whether it did."""
        done = self._round
        if done is None or not done.is_listed:
            return False
        done.behind = {peer for peer in done.behind if self._is_unfetched(peer)}
        if done.behind:
            return False
        self._round, self.since = None, done.server_time
        if not self._conversations.is_primed:
            self._end_first()
        if (done.pages > 1 and not done.is_second) or self.is_needed:
            # While the pages were read, a chat may have moved from a page that was to come to one that was past. Once
            # is enough: a busy user's second round may have as many pages, and what moves now is pushed, or shown by
            # the next heartbeat.
            self.is_needed = False
            self.start(done.connection, is_second=True)
        else:
            self._connections.synced(done.connection, self._conversations.user or "")
            self._arm_heartbeat()
        return True

    def _list(self, round: _Round) -> Script:
        """Rule 1. All pages of the chat list, and with the first of a connection the presence of who is in sight."""
        next: str | None = None
        presence = None if round.is_second else self._hints.asked_with_sync(is_first=self.since is None)
        try:
            while True:
                round.request = self._requests.new_id("sync")
                page = yield Ask(frames.sync(self.since, next, presence), round.request, round.connection)
                if not self._learn(round, page):
                    return
                if not isinstance(page.get("next"), str):
                    break
                next, presence = page["next"], None
        except Refused as refusal:
            self._connections.close(round.connection, str(refusal))
        except Lost:
            pass  # the next connection starts with a sync of its own
        else:
            round.is_listed = True

    def _learn(self, round: _Round, page: Frame) -> bool:
        """Takes in a page of the chat list. False if it is another user's, or of another history."""
        user = page["user"]
        if self._conversations.user not in (None, user):
            self._fail(
                WrongUser(
                    f"The token is for {user!r}, but the saved state belongs to {self._conversations.user!r}."
                    " Keep a separate state for each user."
                )
            )
            return False
        self._conversations.user = user
        if not self._epoch.holds(page.get("epoch")):
            self.since, self.is_needed = None, False
            return False
        round.pages += 1
        if round.server_time is None:
            round.server_time = page["server_time"]
        heartbeat_ms = page.get("heartbeat_ms") or DEFAULT_HEARTBEAT_MS
        self._heartbeat_ms = max(MIN_HEARTBEAT_MS, min(heartbeat_ms, MAX_HEARTBEAT_MS))
        self.max_text_bytes = page.get("max_text_bytes") or frames.DEFAULT_TEXT_BYTES
        for chat in page["chats"]:
            self._learn_chat(round, chat)
        self._hints.answered_with_sync(page.get("presence") or [])
        return True

    def _learn_chat(self, round: _Round, chat: dict[str, Any]) -> None:
        conversation = self._conversations.of(chat["peer"])
        self._expiry.listed(conversation, chat["ts"])
        is_known = conversation.seq > 0
        conversation.begin_anew(chat["seq"], self._backlog)
        last = chat.get("last") or {}
        is_unsent = bool(last.get("unsent") or last.get("unsends"))
        has_data = last.get("has_data") is True
        latest = Latest(chat["ts"], last.get("from"), last.get("text"), is_unsent, has_data)
        conversation.list_up_to(chat["seq"], latest, chat.get("expires") or 0)
        if conversation.last is None and self._backlog == 0 and not conversation.outbox.must_look_up:
            conversation.last = chat["seq"]
        # An older server does not say so, and has told the peer of every receipt.
        conversation.has_written |= chat.get("wrote") != 0
        self._blocks.learn(conversation.peer, chat.get("blocked") is True)
        self._receipts.learn(conversation, chat, is_news=is_known)
        if self._gaps.is_behind(conversation):
            round.behind.add(conversation.peer)
        self._conversations.touch(conversation)

    def _is_unfetched(self, peer: str) -> bool:
        conversation = self._conversations.get(peer)
        return conversation is not None and self._gaps.is_behind(conversation)

    def _end_first(self) -> None:
        """Every conversation that there is has been listed."""
        self._conversations.is_primed = True
        for conversation in self._conversations:
            if not conversation.target:
                conversation.last, conversation.reached = 0, None  # not listed, so nothing was ever said
            self._conversations.touch(conversation)

    def _arm_heartbeat(self) -> None:
        """Rule 5. After an interval with jitter, so that clients do not synchronise."""
        if self._heartbeat:
            self._heartbeat.cancel()
        interval = self._heartbeat_ms / 1_000 * self._random.uniform(1 - HEARTBEAT_SPREAD, 1 + HEARTBEAT_SPREAD)
        self._heartbeat = self._timers.after(interval, self._beat)

    def _beat(self) -> None:
        current = self._connections.current
        if current is not None and self._round is None:
            self.start(current)
