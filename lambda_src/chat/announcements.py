"""Telling a user's chat partners that it came online or went offline, without making `$connect` wait.

A handshake must not wait for a hundred pushes. So the connection function invokes the announcement function
asynchronously, which AWS queues, and returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, final

from botocore.exceptions import BotoCoreError, ClientError

from chat import log
from chat.protocol import UserPresence

if TYPE_CHECKING:
    from botocore.client import BaseClient


@final
class Announcement(TypedDict):
    """The event of the invocation."""

    announce: dict[str, Any]


class Announcer(Protocol):
    def announce(self, presence: UserPresence) -> None:
        """Announces the presence to the user's chat partners: soon, once as a rule, and never for certain."""


class LambdaAnnouncer:
    """Announces by invoking the announcement function, without waiting for it."""

    def __init__(self, client: Callable[[], BaseClient], function_name: str) -> None:
        # Made when first needed: most handshakes are of users who are online already, so there is nothing to announce.
        self._client: Any = cache(client)
        self._function_name = function_name

    def announce(self, presence: UserPresence) -> None:
        payload = json.dumps(announcement(presence))
        try:
            self._client().invoke(FunctionName=self._function_name, InvocationType="Event", Payload=payload)
        except (ClientError, BotoCoreError) as error:
            # Presence is a hint; a handshake is not refused for it.
            log.failure("announcement failed", error)


def announcement(presence: UserPresence) -> Announcement:
    fields = {"user": presence.user, "online": presence.online, "last_seen": presence.last_seen, "rev": presence.rev}
    return {"announce": fields}


def announced(event: Announcement) -> UserPresence:
    return UserPresence(**event["announce"])
