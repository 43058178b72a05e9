"""Rule 6 of docs/protocol.md, a saved queue: what another session has to know to go on, as JSON carries it.

Differs from state.js: what was told is saved too, so this client goes on behind the last message that was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from .conversation import ConversationState, Latest, Mark, Marks, Outgoing
from .conversations import Conversations
from .data import is_data
from .events import Failed, Reset, Sent
from .frames import Shape, boolean, integer, list_of, moment, optional, shaped, string, whole

State: TypeAlias = dict[str, Any]

STATE_VERSION = 1
ANEW = "connect without a state: all messages come from the server, and only what was unsent is lost"


def _pair_of(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(whole, value))  # noqa: PLR2004


_OUTGOING: Shape = {
    "id": string,
    "text": string,
    "data": optional(is_data),
    "ts": optional(moment),
    "found": optional(_pair_of),
}
_CHAT: Shape = {
    "peer": string,
    "seq": optional(whole),
    "reached": optional(whole),
    "target": whole,
    "ts": moment,
    "expires": optional(whole),
    "last_from": optional(string),
    "last_text": optional(string),
    "last_unsent": optional(boolean),
    "last_has_data": optional(boolean),
    "unsends": optional(list_of(whole)),
    "read": whole,
    "peer_read": whole,
    "peer_delivered": whole,
    "has_written": optional(boolean),
    "blocked": optional(boolean),
    "outbox": list_of(shaped(_OUTGOING)),
    "receipts": shaped({"delivered": _pair_of, "read": _pair_of}),
}
_FAILED: Shape = {"id": string, "peer": string, "code": string, "message": string}
_is_state = shaped(
    {
        "user": optional(string),
        "epoch": optional(string),
        "has_reset": optional(boolean),
        "since": optional(moment),
        "chats": list_of(shaped(_CHAT)),
        "failed": optional(list_of(shaped(_FAILED))),
    }
)


class Saved(NamedTuple):
    """What a state holds."""

    user: str | None
    epoch: str | None
    since: int | None
    has_forgotten: bool
    conversations: list[ConversationState]
    to_be_told: list[Reset | Failed]


def save(conversations: Conversations, since: int | None, to_be_told: list[Reset | Failed]) -> State:
    return {
        "version": STATE_VERSION,
        "user": conversations.user,
        "epoch": conversations.epoch,
        "has_reset": any(isinstance(event, Reset) for event in to_be_told),
        "since": since,
        "has_forgotten": conversations.has_forgotten,
        "chats": [_saved(conversation) for conversation in conversations],
        "failed": [asdict(event) for event in to_be_told if isinstance(event, Failed)],
    }


def load(state: Mapping[str, Any]) -> Saved:
    """Raises ValueError, with advice, for a state that is damaged or of another version."""
    state = dict(state) if isinstance(state, Mapping) else {}
    version = state.get("version")
    if integer(version) and version != STATE_VERSION:
        raise ValueError(
            f"this state has version {version}, and this client reads only version {STATE_VERSION};"
            f" use the client that saved it, or {ANEW}"
        )
    if not integer(version) or not _is_state(state):
        raise ValueError(f"this is not what an earlier `chat.state` returned, or it is damaged; {ANEW}")
    reset = [Reset(state["epoch"])] if state.get("has_reset") and state.get("epoch") else []
    return Saved(
        state.get("user"),
        state.get("epoch"),
        state.get("since"),
        state.get("has_forgotten") is True,
        [_restored(chat) for chat in state["chats"]],
        [*reset, *(_restored_failure(failure) for failure in state.get("failed") or [])],
    )


def _saved(conversation: ConversationState) -> State:
    latest, marks = conversation.latest, conversation.marks
    return {
        "peer": conversation.peer,
        "seq": conversation.seen,
        "reached": conversation.reached,
        "target": conversation.seq,
        "ts": latest.ts,
        "expires": conversation.expires,
        "last_from": latest.sender,
        "last_text": latest.text,
        "last_unsent": latest.unsent,
        "last_has_data": latest.has_data,
        "unsends": sorted(conversation.unsends),
        "read": marks.read,
        "peer_read": marks.peer_read,
        "peer_delivered": marks.peer_delivered,
        "has_written": conversation.has_written,
        "blocked": conversation.is_blocked,
        "outbox": [_saved_outgoing(outgoing) for outgoing in conversation.outbox.waiting],
        "receipts": {kind: [mark.wanted, mark.confirmed] for kind, mark in marks.receipts.items()},
    }


def _saved_outgoing(outgoing: Outgoing) -> State:
    found = outgoing.found and [outgoing.found.seq, outgoing.found.ts]
    data = {} if outgoing.data is None else {"data": outgoing.data}
    return {"id": outgoing.id, "text": outgoing.text, **data, "ts": outgoing.ts, "found": found}


def _restored(chat: State) -> ConversationState:
    receipts = chat["receipts"]
    conversation = ConversationState(
        peer=chat["peer"],
        last=chat.get("seq"),
        reached=chat.get("reached"),
        target=chat["target"],
        expires=chat.get("expires") or 0,
        has_written=chat.get("has_written") is not False,  # an older state does not say so
        is_blocked=chat.get("blocked") is True,
        latest=Latest(
            chat["ts"],
            chat.get("last_from"),
            chat.get("last_text"),
            chat.get("last_unsent") is True,
            chat.get("last_has_data") is True,
        ),
        unsends=set(chat.get("unsends") or []),
        marks=Marks(
            chat["read"],
            chat["peer_read"],
            chat["peer_delivered"],
            {"delivered": Mark(*receipts["delivered"]), "read": Mark(*receipts["read"])},
        ),
    )
    outbox = conversation.outbox
    outbox.waiting.extend(_restored_outgoing(conversation.peer, outgoing) for outgoing in chat["outbox"])
    # The state may be older than what was sent since, so even what it calls untried may be stored.
    outbox.must_look_up = any(outgoing.found is None for outgoing in outbox.waiting)
    return conversation


def _restored_outgoing(peer: str, saved: State) -> Outgoing:
    # Tried, for all that this state can know.
    outgoing = Outgoing(saved["id"], saved["text"], saved.get("data"), saved.get("ts") or 0, was_tried=True)
    if found := saved.get("found"):
        seq, ts = found
        outgoing.found = Sent(outgoing.id, peer, seq, ts, delivered=None)
    return outgoing


def _restored_failure(saved: State) -> Failed:
    return Failed(saved["id"], saved["peer"], saved["code"], saved["message"])
