"""CDK context to settings: read once, checked here, frozen after."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

E = TypeVar("E", bound=StrEnum)

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_BOOLEANS = {"true": True, "false": False}


class BadContext(Exception):
    """A context value that cannot be used; the message says which, and what would do."""


class IdentityMode(StrEnum):
    """How a user proves who it is. OPEN proves nothing and is for trying out only."""

    TOKEN = "token"  # noqa: S105
    OPEN = "open"


class TokenSource(StrEnum):
    """The one place of the handshake where the token is; API Gateway refuses one without it by itself."""

    QUERY = "query"
    HEADER = "header"
    SUBPROTOCOL = "subprotocol"


class Handshake(NamedTuple):
    """The one place of a handshake that says who the user is, for API Gateway and for people."""

    identity_source: str
    hint: str


_OPEN = Handshake("route.request.querystring.userId", "with ?userId=USER")
_BY_TOKEN = {
    TokenSource.QUERY: Handshake("route.request.querystring.token", "with ?token=TOKEN"),
    TokenSource.HEADER: Handshake("route.request.header.Authorization", "with the header Authorization: Bearer TOKEN"),
    TokenSource.SUBPROTOCOL: Handshake(
        "route.request.header.Sec-WebSocket-Protocol", "offering the subprotocols parley.v1 and bearer.TOKEN"
    ),
}


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What a deployment can choose.

    `throwaway` stages are deleted with all they hold: no deletion protection, no point-in-time recovery.
    `emulator` is the endpoint of a local emulator, None on AWS. The rate, in events a second, and the burst are those
    of each route. Alarms are told to the SNS topic, if there is one.
    """

    stage: str
    identity: IdentityMode
    token_source: TokenSource
    retention_days: int
    throttling_rate: int
    throttling_burst: int
    throwaway: bool
    alarm_topic_arn: str | None
    emulator: str | None

    @property
    def stack_name(self) -> str:
        return f"Parley-{self.stage}"

    @property
    def handshake(self) -> Handshake:
        return _OPEN if self.identity is IdentityMode.OPEN else _BY_TOKEN[self.token_source]

    @classmethod
    def from_context(cls, context: Callable[[str], object]) -> ChatSettings:
        """Reads each setting from the CDK context. Raises BadContext."""
        return cls(
            stage=_matching(context, "stage", "dev", _STAGE, "1 to 20 of a-z 0-9 -, a letter first, like dev"),
            identity=_choice(context, "identity", IdentityMode.TOKEN),
            token_source=_choice(context, "tokenSource", TokenSource.QUERY),
            # A message outlives an hour by far: the log's numbering rests on it (lambda_src/chat/conversations.py).
            retention_days=_number(context, "retentionDays", 365, 1, 36_500),
            throttling_rate=_number(context, "throttlingRate", 500, 1, 10_000),
            throttling_burst=_number(context, "throttlingBurst", 1_000, 1, 5_000),
            throwaway=_boolean(context, "throwaway"),
            alarm_topic_arn=_optional(context, "alarmTopicArn", _TOPIC, "the ARN of an SNS topic"),
            emulator=_optional(context, "emulator", _LOOPBACK, "its endpoint, like http://127.0.0.1:4566"),
        )


def _text(context: Callable[[str], object], name: str, default: str) -> str:
    value = context(name)
    return default if value is None else str(value)


def _matching(context: Callable[[str], object], name: str, default: str, pattern: re.Pattern[str], hint: str) -> str:
    value = _text(context, name, default)
    if not pattern.fullmatch(value):
        raise BadContext(f"the context value {name}={value!r} cannot be used; give {hint}")
    return value


def _choice(context: Callable[[str], object], name: str, default: E) -> E:
    value = _text(context, name, default)
    for choice in type(default):
        if choice == value:
            return choice
    raise BadContext(f"the context value {name}={value!r} cannot be used; give one of {', '.join(type(default))}")


def _number(context: Callable[[str], object], name: str, default: int, low: int, high: int) -> int:
    value = _text(context, name, str(default))
    # On the command line everything is text; cdk.json may hold a number.
    if not (_WHOLE_NUMBER.fullmatch(value) and low <= int(value) <= high):
        raise BadContext(f"the context value {name}={value!r} cannot be used; give a whole number, {low} to {high}")
    return int(value)


def _boolean(context: Callable[[str], object], name: str) -> bool:
    value = _text(context, name, "false").lower()
    if value not in _BOOLEANS:
        raise BadContext(f"the context value {name}={value!r} cannot be used; give true or false")
    return _BOOLEANS[value]


def _optional(context: Callable[[str], object], name: str, pattern: re.Pattern[str], hint: str) -> str | None:
    return None if context(name) is None else _matching(context, name, "", pattern, hint)
