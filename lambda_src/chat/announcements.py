"""Telling a user's chat partners that it came online or went offline, without making `$connect` wait.

A handshake must not wait for a hundred pushes. So the connection function invokes the announcement function
asynchronously, which AWS queues, and returns. Of a user that may return it sends a message to a queue instead, which
the announcement function gets at the end of the grace: who is back by then never went.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, final

from chat import log
from chat.budget import SDK_ERRORS
from chat.protocol import UserPresence

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from chat.sdk import Service


@final
class Announcement(TypedDict):
    """The event of the invocation."""

    announce: dict[str, Any]


@final
class QueuedDeparture(TypedDict):
    """A message of the queue, as far as it is used. Its body is an announcement, in JSON."""

    messageId: str
    body: str


@final
class QueuedDepartures(TypedDict):
    """The event with which the queue's messages come, one each."""

    Records: list[QueuedDeparture]


class Announcer(Protocol):
    def announce(self, presence: UserPresence) -> None:
        """Announces the presence to the user's chat partners: soon, once as a rule, and never for certain."""

    def announce_later(self, departure: UserPresence) -> None:
        """The same at the end of the grace, unless the user is back by then."""


class AwsAnnouncer:
    """Announces by invoking the announcement function, without waiting for it; later, by a message to the queue."""

    def __init__(
        self, client: Callable[[Service], BaseClient], function_name: str, queue_url: str = "", grace_seconds: int = 0
    ) -> None:
        # Made when first needed: most handshakes are of users who are online already, so there is nothing to announce.
        self._client: Callable[[Service], Any] = cache(client)
        self._function_name = function_name
        self._queue_url = queue_url
        self._grace_seconds = grace_seconds

    def announce(self, presence: UserPresence) -> None:
        payload = json.dumps(announcement(presence))
        try:
            self._client("lambda").invoke(FunctionName=self._function_name, InvocationType="Event", Payload=payload)
        except SDK_ERRORS as error:
            # Presence is a hint; a handshake is not refused for it.
            log.failure("announcement failed", error)

    def announce_later(self, departure: UserPresence) -> None:
        message = {"QueueUrl": self._queue_url, "MessageBody": json.dumps(announcement(departure))}
        try:
            # The delay is the message's and not the queue's: it goes with the grace that this function was made with.
            self._client("sqs").send_message(**message, DelaySeconds=self._grace_seconds)
        except SDK_ERRORS as error:
            # Nor is it told at once, or an arrival within the grace, of which nobody is told, would leave it so.
            log.failure("announcement failed", error)


def announcement(presence: UserPresence) -> Announcement:
    fields = {"user": presence.user, "online": presence.online, "last_seen": presence.last_seen, "rev": presence.rev}
    return {"announce": fields}


def announced(event: Announcement) -> UserPresence:
    return UserPresence(**event["announce"])
