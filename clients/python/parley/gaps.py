"""Rule 4 of docs/protocol.md: gaps are filled from the history, and what is not there has expired.

Differs from gaps.js: no messages are kept here, so a page of older ones is the application's.
"""

from __future__ import annotations

import logging

from . import frames
from .arrivals import Arrivals
from .connections import Connections
from .conversation import ConversationState, PageEnd
from .conversations import Conversations
from .errors import Refused
from .events import HistoryPage, Message
from .expiry import Expiry
from .frames import PAGE, Frame
from .mailbox import Mailbox
from .questions import Questions
from .requests import Ask, Lost, Requests, Script
from .timers import Timers

_LOG = logging.getLogger("parley")


class Gaps:
    """Fetches what is missing, in a few conversations at once: a first sync may show a thousand that are behind."""

    def __init__(
        self,
        requests: Requests,
        connections: Connections,
        conversations: Conversations,
        mailbox: Mailbox,
        *,
        questions: Questions,
        expiry: Expiry,
        arrivals: Arrivals,
        timers: Timers,
        backlog: int,
        at_once: int,
    ) -> None:
        self.pages = 0
        """How many pages have come so far."""
        self._requests = requests
        self._connections = connections
        self._conversations = conversations
        self._mailbox = mailbox
        self._questions = questions
        self._expiry = expiry
        self._arrivals = arrivals
        self._timers = timers
        self._backlog = backlog
        self._at_once = at_once
        self._under_way = 0
        self._waiting: dict[str, None] = {}

    def is_behind(self, conversation: ConversationState) -> bool:
        """Whether to fetch what is missing now: while the mailbox is full it stays at the server."""
        return conversation.is_behind and not self._mailbox.is_full

    def settle(self, conversation: ConversationState) -> None:
        """Starts to fill a gap, unless that is under way or has to wait for its turn."""
        self._waiting.pop(conversation.peer, None)
        is_lookup = conversation.outbox.must_look_up and conversation.reached is None  # else it is not known where to
        is_needed = self.is_behind(conversation) or is_lookup
        if is_needed and not conversation.is_fetching and self._connections.current is not None:
            if self._under_way >= self._at_once:
                self._waiting[conversation.peer] = None
                return
            self._under_way += 1
            conversation.is_fetching = True
            self._requests.run(self._fill(conversation, is_lookup=is_lookup))
        else:
            self._touch_next()

    def preview(self, peers: list[str]) -> None:
        """Fetches the beginning of their last messages for the chat list: only the first page of a `sync` has it."""
        if self._connections.current is None:
            return
        for peer in peers:
            conversation = self._conversations.get(peer)
            if conversation and conversation.lacks_preview and not conversation.is_fetching:
                self._requests.run(self._fetch_preview(conversation))

    def older(self, peer: str, before: int | None, limit: int) -> str:
        """Asks for a page of older messages; the `Answer` under the returned id is a HistoryPage or Refused."""

        def read(page: Frame) -> HistoryPage:
            messages = frames.page_of(page, peer)
            if conversation := self._conversations.get(peer):
                self._expiry.came(conversation, messages)
            return HistoryPage(tuple(messages), page.get("more") is True)

        return self._questions.ask(frames.history(peer, min(limit, PAGE), before=before), read)

    def _fetch_preview(self, conversation: ConversationState) -> Script:
        try:
            page = yield Ask(frames.history(conversation.peer, 1))
            for message in self._messages_of(page, conversation):
                conversation.show_preview(message)
        except (Refused, Lost):
            pass  # a blank line in a list, until it comes into sight again

    def _fill(self, conversation: ConversationState, *, is_lookup: bool) -> Script:
        """Reads the history up to its end. A look-up reads on while the mailbox is full, as sending waits for it."""
        is_over, began = False, self._timers.now
        try:
            while not is_over:
                # As they are when it is asked.
                after, target, numbering = conversation.last, conversation.target, conversation.numbering
                page = yield Ask(self._question(conversation, is_lookup))
                messages = self._messages_of(page, conversation)
                if conversation.numbering != numbering:
                    continue
                end = self._take(conversation, messages, after, target, has_more=page.get("more") is True)
                is_over = end in (PageEnd.LAST, PageEnd.NOWHERE) or (self._mailbox.is_full and not is_lookup)
        except Refused as refusal:
            _LOG.warning("the history of a conversation is refused: %s", refusal.code)
            conversation.is_stuck = is_over = True  # not asked again before the next sync
        except Lost:
            pass  # settled again on the next connection
        finally:
            if is_over and is_lookup:
                conversation.outbox.was_looked_up(began)
            self._under_way -= 1
            conversation.is_fetching = False
            self._conversations.touch(conversation)

    def _question(self, conversation: ConversationState, is_lookup: bool) -> Frame:
        if conversation.last is not None:
            return frames.history(conversation.peer, PAGE, after=conversation.last)
        return frames.history(conversation.peer, PAGE if is_lookup else self._backlog or PAGE)

    def _messages_of(self, page: Frame, conversation: ConversationState) -> list[Message]:
        messages = frames.page_of(page, conversation.peer)
        self._expiry.came(conversation, messages)
        return messages

    def _take(
        self,
        conversation: ConversationState,
        messages: list[Message],
        after: int | None,
        target: int,
        *,
        has_more: bool,
    ) -> PageEnd:
        self.pages += 1
        told, end = conversation.take_page(messages, has_more=has_more, after=after, target=target)
        self._arrivals.tell(conversation, told)
        match end:
            case PageEnd.LAST:
                self._arrivals.tell(conversation, conversation.close_gap(target))
            case PageEnd.NOWHERE:
                conversation.is_stuck = True  # not again before the next sync
        return end

    def _touch_next(self) -> None:
        """The conversation that has waited longest is next."""
        while self._under_way < self._at_once and self._waiting:
            peer = next(iter(self._waiting))
            if conversation := self._conversations.get(peer):
                self._conversations.touch(conversation)
                return
            del self._waiting[peer]  # it was forgotten
