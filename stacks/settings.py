"""CDK context to settings: read once, checked here, then frozen. stages.py reads those of a stage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple, TypeVar

from .routes import MOST_BURST, MOST_RATE, ROUTES, Throttle

E = TypeVar("E", bound=StrEnum)

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_EMAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_EPOCH = re.compile(r"[A-Za-z0-9._:-]{1,32}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_ISSUER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/|-]*)?")
_AUDIENCES = re.compile(r"[^\s,]+(,[^\s,]+)*")
_CLAIM = re.compile(r"[!-~]{1,64}")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_HOSTED_ZONE = re.compile(r"Z[A-Z0-9]{1,31}")
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}")
_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?"
)
_STREAM = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]{3,255}/stream/[0-9T:.-]{1,40}")
_ROUTE_RATES = re.compile(r"[$a-z]+:[0-9]{1,9}(,[$a-z]+:[0-9]{1,9})*")
_ORIGINS = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?(,https?://[a-z0-9.-]+(:[0-9]{1,5})?)*")
_RATES_HINT = "routes with their events a second, like send:1000,ping:10"
_BOOLEANS = {"true": True, "false": False}
_SEPARATORS = frozenset(":@/")
"""Every feature flag, and whatever else the CDK keeps in the context, has one of them in its name."""
_CLI_KEYS = frozenset({"acknowledged-issue-numbers", "cli-telemetry"})
"""Kept there by `cdk acknowledge` and `cdk cli-telemetry`, without one."""


SETTINGS = "Settings"
"""The key in the template's metadata that holds the settings it was made with."""


class BadContext(Exception):
    """A setting is unknown or cannot be used; the message says which, and what to give instead."""


class IdentityMode(StrEnum):
    """How users prove who they are: with a token that your backend signs, or one of an OpenID Connect issuer.

    OPEN checks nothing, and is for throwaway stages only.
    """

    TOKEN = "token"  # noqa: S105
    OIDC = "oidc"
    OPEN = "open"


class TokenSource(StrEnum):
    """Where in the handshake the token is; API Gateway itself refuses a handshake without it."""

    QUERY = "query"
    HEADER = "header"
    SUBPROTOCOL = "subprotocol"


class EventLevel(StrEnum):
    """Which events the product gets on a bus: none, messages that no device took, or all."""

    NONE = "none"
    UNDELIVERED = "undelivered"
    MESSAGES = "messages"


class OnFailure(StrEnum):
    """What happens to a first message if the product's own rule does not answer: it is refused for now, or passes."""

    CLOSED = "closed"
    OPEN = "open"


class Handshake(NamedTuple):
    """Where a handshake says who the user is, for API Gateway and for people."""

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


_EXAMPLES = {
    "issuer": "issuer=https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
    "audience": "audience=CLIENT_ID, or several separated by commas",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """What a deployment can choose; in the context, each field has its name in camel case.

    Identity: a token lives for at most `max_token_hours`. With `allowed_origins`, browsers may connect from those
    pages only, otherwise from any.

    Limits: `user_rate` is the messages a second that one user may keep sending, `new_chats` the conversations that it
    may begin in an hour. `may_send_function`, if given, is asked before the first message between two users;
    `may_send_fails` says what happens if it does not answer. The throttling rate, in events a second, and the burst are
    those of each route that is used all the time; `route_rates` sets single routes. `reserved_concurrency` is both
    the most and the guaranteed instances of the message function. `max_read_request_units` and
    `max_write_request_units` bound the table, a second. `memory_mb` is each function's, and gives it CPU.

    Presence: the partners of a user's `announced_chats` latest chats are told that it came or went, the latter
    `grace_seconds` later, if the user is not back by then.

    Data: `throwaway` stages are deleted with all their data, without deletion protection or point-in-time recovery.
    Other tables can be recovered as they were in the last `recovery_days`, with whatever was erased since.
    `kms_key_arn` encrypts the data and the secret. With `table_name`, the stack uses that table and makes none. A new
    `epoch` tells clients that the data went back, as another table does. `events` says what is put on a bus for the
    product, `event_text` whether with texts; stored messages are read from the table's stream, `table_stream_arn` if
    the stack does not make the table.

    Operation: alarms notify the SNS topic or the e-mail address; the address also hears when the month's costs approach
    `monthly_budget` dollars. `access_log`: API Gateway logs each handshake and frame. `tracing`: X-Ray samples
    invocations. `gradual_shift`: a new version of a function gets a tenth of the traffic first. `web`: the stack also
    hosts the web page. `domain_name` is where clients connect, in the zone `hosted_zone_id` of Route 53. `emulator` is
    the endpoint of a local emulator, None on AWS.
    """

    stage: str = "dev"
    identity: IdentityMode = IdentityMode.TOKEN
    token_source: TokenSource = TokenSource.QUERY
    issuer: str | None = None
    audience: str | None = None
    user_claim: str = "sub"
    max_token_hours: int = 24
    allowed_origins: str | None = None
    retention_days: int = 365
    user_rate: int = 10
    new_chats: int = 50
    may_send_function: str | None = None
    may_send_fails: OnFailure = OnFailure.CLOSED
    announced_chats: int = 10
    grace_seconds: int = 60
    throttling_rate: int = 500
    throttling_burst: int = 1_000
    route_rates: str | None = None
    memory_mb: int = 1_024
    reserved_concurrency: int | None = None
    max_read_request_units: int | None = None
    max_write_request_units: int | None = None
    throwaway: bool = False
    recovery_days: int = 35
    kms_key_arn: str | None = None
    alarm_topic_arn: str | None = None
    alarm_email: str | None = None
    monthly_budget: int | None = None
    web: bool = False
    table_name: str | None = None
    table_stream_arn: str | None = None
    epoch: str = "1"
    events: EventLevel = EventLevel.NONE
    event_text: bool = False
    access_log: bool = False
    tracing: bool = False
    gradual_shift: bool = False
    domain_name: str | None = None
    hosted_zone_id: str | None = None
    emulator: str | None = None

    def __post_init__(self) -> None:
        self._check_bounds()
        if self.identity is IdentityMode.OPEN and not self.throwaway:
            raise BadContext(
                "the setting identity='open' lets anybody connect as anybody, so it can be used only on "
                "throwaway stages: give throwaway=true, or identity=token"
            )
        needs_issuer = self.identity is IdentityMode.OIDC
        for name, value in (("issuer", self.issuer), ("audience", self.audience)):
            if (value is not None) != needs_issuer:
                raise BadContext(
                    f"the setting {name} is required with identity=oidc: give {_EXAMPLES[name]}"
                    if needs_issuer
                    else f"the setting {name}={value!r} is only for identity=oidc; give that, or leave it out"
                )
        if self.alarm_topic_arn and self.alarm_email:
            raise BadContext(
                "the settings alarmTopicArn and alarmEmail exclude each other: give one; to notify both, subscribe the "
                "address to the topic"
            )
        if self.monthly_budget is not None and self.alarm_email is None:
            raise BadContext(
                f"the setting monthlyBudget='{self.monthly_budget}' requires alarmEmail: the address is told "
                "when costs approach the budget"
            )
        if (self.domain_name is None) != (self.hosted_zone_id is None):
            raise BadContext(
                "the settings domainName and hostedZoneId belong together: give both the name and the id of its hosted "
                "zone in Route 53"
            )
        self._check_events()
        if self.web and self.identity is IdentityMode.OIDC:
            raise BadContext(
                "the setting web='true' cannot be used with identity='oidc': the page has no sign-in of an "
                "identity provider; leave web out"
            )
        if self.web and self.identity is IdentityMode.TOKEN and self.token_source is TokenSource.HEADER:
            raise BadContext(
                "the setting web='true' cannot be used with tokenSource='header': browsers do not let a page set a "
                "header of the handshake; give tokenSource=query or tokenSource=subprotocol, or leave web out"
            )

    def _check_bounds(self) -> None:
        if len(self.rates) < len((self.route_rates or "").split(",")) and self.route_rates:
            raise BadContext(f"the setting routeRates={self.route_rates!r} names a route twice; give each one rate")
        for route, rate in self.rates.items():
            if route not in ROUTES:
                raise BadContext(
                    f"the setting routeRates={self.route_rates!r} names the route {route!r}, which does not exist; the "
                    f"routes are {', '.join(ROUTES)}"
                )
            if not 1 <= rate <= MOST_RATE:
                raise BadContext(
                    f"the setting routeRates={self.route_rates!r} cannot be used; give {route} a whole number, 1 to "
                    f"{MOST_RATE}"
                )
        if self.table_name and (self.max_read_request_units or self.max_write_request_units):
            raise BadContext(
                "the settings maxReadRequestUnits and maxWriteRequestUnits are for a table that the stack makes: leave "
                f"them out, or bound {self.table_name} itself with aws dynamodb update-table --on-demand-throughput"
            )

    def _check_events(self) -> None:
        if self.event_text and self.events is EventLevel.NONE:
            raise BadContext(
                "the setting eventText='true' requires events: give events=undelivered or events=messages, or leave "
                "eventText out"
            )
        needs_stream = self.table_name is not None and self.events is EventLevel.MESSAGES
        if needs_stream != (self.table_stream_arn is not None):
            raise BadContext(
                f"the settings tableName={self.table_name!r} and events='messages' require tableStreamArn: enable the "
                "table's stream, with new and old images, and give its ARN; or give events=undelivered"
                if needs_stream
                else f"the setting tableStreamArn={self.table_stream_arn!r} is only for tableName with "
                "events=messages; give those, or leave it out"
            )

    @property
    def stack_name(self) -> str:
        return f"Parley-{self.stage}"

    @property
    def throttle(self) -> Throttle:
        return Throttle(self.throttling_rate, self.throttling_burst)

    @property
    def rates(self) -> dict[str, int]:
        """Events a second, for routes that have a rate of their own."""
        pairs = (pair.split(":") for pair in (self.route_rates or "").split(",") if pair)
        return {route: int(rate) for route, rate in pairs}

    @property
    def handshake(self) -> Handshake:
        return _OPEN if self.identity is IdentityMode.OPEN else _BY_TOKEN[self.token_source]

    def shown(self) -> dict[str, str]:
        """Each setting that has a value, as the context would have it: by name, as text."""
        values = {_camel_case(field.name): getattr(self, field.name) for field in fields(self)}
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in values.items()
            if value is not None
        }

    def checked(self) -> ChatSettings:
        """The same, as it would be read from the context. Raises BadContext if a value cannot be used there."""
        return ChatSettings.from_context(self.shown())

    @staticmethod
    def stage_of(context: Mapping[str, object]) -> str:
        """The stage that the context names. Raises BadContext."""
        return _matching(context, "stage", "dev", _STAGE, "1 to 20 of a-z 0-9 -, a letter first, like dev")

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> ChatSettings:
        """Reads each setting from the whole of the CDK context. Raises BadContext."""
        _refuse_unknown(context, [_camel_case(field.name) for field in fields(cls)])
        default = cls()
        return cls(
            stage=cls.stage_of(context),
            identity=_choice(context, "identity", default.identity),
            token_source=_choice(context, "tokenSource", default.token_source),
            issuer=_optional(context, "issuer", _ISSUER, "an https address, exactly as the issuer writes it"),
            audience=_optional(context, "audience", _AUDIENCES, "client ids, separated by commas without spaces"),
            user_claim=_matching(context, "userClaim", default.user_claim, _CLAIM, "the name of a claim, like sub"),
            max_token_hours=_number(context, "maxTokenHours", default.max_token_hours, 1, 720),
            allowed_origins=_optional(
                context, "allowedOrigins", _ORIGINS, "origins, separated by commas, like https://app.example.com"
            ),
            # A message must outlive an hour by far: the numbering relies on it (lambda_src/chat/conversations.py).
            retention_days=_number(context, "retentionDays", default.retention_days, 1, 36_500),
            user_rate=_number(context, "userRate", default.user_rate, 1, 10_000),
            new_chats=_number(context, "newChats", default.new_chats, 1, 1_000_000),
            may_send_function=_optional(
                context, "maySendFunction", _FUNCTION, "the ARN of a Lambda function, or of an alias of one"
            ),
            may_send_fails=_choice(context, "maySendFails", default.may_send_fails),
            announced_chats=_number(context, "announcedChats", default.announced_chats, 0, 100),
            grace_seconds=_number(context, "graceSeconds", default.grace_seconds, 0, 900),  # SQS keeps back no longer
            throttling_rate=_number(context, "throttlingRate", default.throttling_rate, 1, MOST_RATE),
            throttling_burst=_number(context, "throttlingBurst", default.throttling_burst, 1, MOST_BURST),
            route_rates=_optional(context, "routeRates", _ROUTE_RATES, _RATES_HINT),
            memory_mb=_number(context, "memoryMb", default.memory_mb, 128, 10_240),  # Lambda's own bounds
            reserved_concurrency=_optional_number(context, "reservedConcurrency", 1, 100_000),
            max_read_request_units=_optional_number(context, "maxReadRequestUnits", 1, 1_000_000),
            max_write_request_units=_optional_number(context, "maxWriteRequestUnits", 1, 1_000_000),
            throwaway=_boolean(context, "throwaway"),
            recovery_days=_number(context, "recoveryDays", default.recovery_days, 1, 35),
            kms_key_arn=_optional(context, "kmsKeyArn", _KEY, "the ARN of a key of KMS, not of an alias"),
            alarm_topic_arn=_optional(context, "alarmTopicArn", _TOPIC, "the ARN of an SNS topic"),
            alarm_email=_optional(context, "alarmEmail", _EMAIL, "an e-mail address"),
            monthly_budget=_optional_number(context, "monthlyBudget", 1, 1_000_000),
            web=_boolean(context, "web"),
            table_name=_optional(context, "tableName", _TABLE, "the name of a table, not its ARN"),
            table_stream_arn=_optional(
                context, "tableStreamArn", _STREAM, "the ARN of a stream, the LatestStreamArn of describe-table"
            ),
            epoch=_matching(context, "epoch", default.epoch, _EPOCH, "1 to 32 of A-Z a-z 0-9 . _ : -, like 2"),
            events=_choice(context, "events", default.events),
            event_text=_boolean(context, "eventText"),
            access_log=_boolean(context, "accessLog"),
            tracing=_boolean(context, "tracing"),
            gradual_shift=_boolean(context, "gradualShift"),
            domain_name=_optional(context, "domainName", _DOMAIN, "a domain in lower case, like chat.example.com"),
            hosted_zone_id=_optional(
                context, "hostedZoneId", _HOSTED_ZONE, "the id of a hosted zone, like Z0123456789"
            ),
            emulator=_optional(context, "emulator", _LOOPBACK, "its endpoint, like http://127.0.0.1:4566"),
        )


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _refuse_unknown(context: Iterable[str], known: list[str]) -> None:
    for name in context:
        if name in known or name in _CLI_KEYS or _SEPARATORS & set(name):
            continue
        close = get_close_matches(name, known, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise BadContext(f"there is no setting {name}{meant}; the names are {', '.join(known)}")


def _text(context: Mapping[str, object], name: str, default: str) -> str:
    value = context.get(name)
    return default if value is None else str(value)


def _matching(context: Mapping[str, object], name: str, default: str, pattern: re.Pattern[str], hint: str) -> str:
    value = _text(context, name, default)
    if not pattern.fullmatch(value):
        raise BadContext(f"the setting {name}={value!r} cannot be used; give {hint}")
    return value


def _choice(context: Mapping[str, object], name: str, default: E) -> E:
    value = _text(context, name, default)
    for choice in type(default):
        if choice == value:
            return choice
    raise BadContext(f"the setting {name}={value!r} cannot be used; give one of {', '.join(type(default))}")


def _number(context: Mapping[str, object], name: str, default: int, low: int, high: int) -> int:
    value = _text(context, name, str(default))
    # On the command line everything is text; cdk.json may hold a number.
    if not (_WHOLE_NUMBER.fullmatch(value) and low <= int(value) <= high):
        raise BadContext(f"the setting {name}={value!r} cannot be used; give a whole number, {low} to {high}")
    return int(value)


def _optional_number(context: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    return None if context.get(name) is None else _number(context, name, low, low, high)


def _boolean(context: Mapping[str, object], name: str) -> bool:
    value = _text(context, name, "false").lower()
    if value not in _BOOLEANS:
        raise BadContext(f"the setting {name}={value!r} cannot be used; give true or false")
    return _BOOLEANS[value]


def _optional(context: Mapping[str, object], name: str, pattern: re.Pattern[str], hint: str) -> str | None:
    return None if context.get(name) is None else _matching(context, name, "", pattern, hint)
