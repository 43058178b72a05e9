"""What a record of the table's stream means to the product: a message is stored or taken back, a user came or went.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat.bus import Event, EventBus, came_or_went, unsent
from chat.dynamo import plain_item
from chat.messages import message_of
from chat.sessions import connection_ids, presence
from chat.table import SESSIONS, Item, user_of


def events_of(record: Mapping[str, Any], bus: EventBus) -> list[Event]:
    """At most one event, as the bus words it."""
    change = record["dynamodb"]
    before, after = plain_item(change.get("OldImage", {})), plain_item(change.get("NewImage", {}))
    if change["Keys"]["sk"]["S"] == SESSIONS:
        user = user_of(change["Keys"]["pk"]["S"])
        return _came_or_went(user, before, after, int(change["ApproximateCreationDateTime"] * 1_000))
    message = message_of(after)
    if message is None:
        return []
    return [unsent(message) if message.unsends else bus.of_message("message.stored", message)]


def _came_or_went(user: str, before: Item, after: Item, now: int) -> list[Event]:
    """Nothing, if the user is online, or offline, as before.

    The end of a connection counts even if its token had expired before: nobody was told of that.
    """
    was, known = presence(user, before, now), presence(user, after, now)
    has_ended = bool(connection_ids(before) - connection_ids(after))
    came, went = known.online and not was.online, not known.online and (was.online or has_ended)
    if not came and not went:
        return []
    rev = max(was.rev, known.rev)  # for a removed item, the one it had
    return [came_or_went(known._replace(rev=rev, last_seen=known.last_seen or was.last_seen))]
