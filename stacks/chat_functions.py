"""The functions of a chat: what each is told by its environment, what feeds it, and what it may call.

Every grant is written by hand: named actions on one resource. The CDK's own grants add actions and resources that
nothing here uses.
"""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .bundle import LOCK, OIDC_LOCK
from .departures import RECEIVING, Departures
from .functions import TIMEOUT, ChatFunction, asset
from .log_metrics import FunctionName
from .sdk_description import OPERATIONS
from .settings import ChatSettings, EventLevel, IdentityMode
from .table_stream import READING, TableStream
from .target import Target
from .websocket_api import ChatApi

USERS = "USER#*"
"""The partitions of users: who is connected, and their chat lists, but no messages."""

LOGS = "CHAT#*"
"""The partitions of messages."""

ERASING = "DeleteItem"
CHATTING = [operation for operation in OPERATIONS["dynamodb"] if operation != ERASING]
"""What every send and sync does to items. Only what is kept of a user that is erased, and what is left of a log that
has ended, is taken out of the table."""

TABLE_KEY = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
"""What DynamoDB asks of a customer's key in the name of who reads and writes a table."""

BACKEND_TIMEOUT = Duration.seconds(30)
"""Above the time that an operation gives itself (chat/budget.py)."""


class ChatFunctions:
    """Makes the functions in `scope`. Not a construct: its id would be a part of each logical id."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: ChatSettings,
        target: Target,
        table: dynamodb.ITableV2,
        key: kms.IKey | None,
        secret: secretsmanager.ISecret | None,
        bus: events.IEventBus | None,
        api: ChatApi,
        may_send: str | None,
        have_alias: bool,
    ) -> None:
        self._scope = scope
        self._settings = settings
        self._target = target
        self._table = table
        self._key = key
        self._secret = secret
        self._bus = bus
        self._api = api
        self._may_send = may_send
        self._have_alias = have_alias
        self._code = asset(OIDC_LOCK if settings.identity is IdentityMode.OIDC else LOCK)
        self.message = self._make_message()
        self.announcement = self._make_announcement()
        self.departures = self._queue_departures()
        """Where a departure waits until it is told; None if it is told at once."""
        self.connection = self._make_connection()
        self.authorizer = self._make_authorizer()
        self.backend = self._make_backend()
        self.by_name: dict[FunctionName, ChatFunction] = {
            "Announcement": self.announcement,
            "Authorizer": self.authorizer,
            "Backend": self.backend,
            "Connection": self.connection,
            "Message": self.message,
        }
        self.table_stream: TableStream | None = None
        """What feeds the function `Stream`, if the chat has it."""
        if settings.events is EventLevel.MESSAGES:
            self.by_name["Stream"], self.table_stream = self._make_stream()

    def _make_message(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "EPOCH": self._settings.epoch,
            "RETENTION_DAYS": str(self._settings.retention_days),
            "NEW_CHATS": str(self._settings.new_chats),
            "ANNOUNCED_CHATS": str(self._settings.announced_chats),
            "USER_RATE": str(self._settings.user_rate),
            **self._gateway_endpoint(),
            **self._event_bus(),
        }
        if self._may_send:
            environment |= {"MAY_SEND_FUNCTION": self._may_send, "MAY_SEND_FAILS": self._settings.may_send_fails}
        message = self._make(
            "Message",
            "message.handler",
            "Answers every frame that a client sends",
            environment,
            reserved_concurrency=self._settings.reserved_concurrency,
        )
        self._grant_table(message, CHATTING)
        self._grant_table(message, [ERASING], partitions=LOGS)  # what has expired, before the numbers begin again
        # One whose token has expired, or whose user does not stop, is closed.
        self._grant_connections(message, "POST", "DELETE")
        self._grant_bus(message)
        if self._may_send:
            message.grant(["lambda:InvokeFunction"], self._may_send)
        return message

    def _make_announcement(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "ANNOUNCED_CHATS": str(self._settings.announced_chats),
            "USER_RATE": str(self._settings.user_rate),
            **self._gateway_endpoint(),
        }
        announcement = self._make(
            "Announcement", "announcement.handler", "Tells chat partners of arrivals and departures", environment
        )
        # What is told again is no news: presence has a newer state by then. Lambda may still deliver an event twice.
        announcement.invoked.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        self._grant_table(announcement, ["BatchGetItem", "Query", "UpdateItem"], partitions=USERS)
        self._grant_connections(announcement, "POST")
        return announcement

    def _queue_departures(self) -> Departures | None:
        if self._settings.grace_seconds == 0:
            return None
        departures = Departures(self._scope, "Departures", function=self.announcement, enforce_ssl=self._target.has_tls)
        self.announcement.grant([f"sqs:{one}" for one in RECEIVING], departures.queue.queue_arn)
        return departures

    def _make_connection(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "ANNOUNCEMENT_FUNCTION": self.announcement.invoked.function_name,
            "GRACE_SECONDS": str(self._settings.grace_seconds),
            "RETENTION_DAYS": str(self._settings.retention_days),
            "USER_RATE": str(self._settings.user_rate),
            **self._gateway_endpoint(),
        }
        if self.departures:
            environment["DEPARTURES_QUEUE"] = self.departures.queue.queue_url
        connection = self._make("Connection", "connection.handler", "Registers and removes connections", environment)
        self._grant_table(connection, ["UpdateItem"], partitions=USERS)
        self._grant_connections(connection, "POST", "DELETE")  # a connection is told why it is closed
        connection.grant(["lambda:InvokeFunction"], self.announcement.invoked.function_arn)
        if self.departures:
            connection.grant(["sqs:SendMessage"], self.departures.queue.queue_arn)
        return connection

    def _make_authorizer(self) -> ChatFunction:
        settings = self._settings
        environment: dict[str, str] = {"IDENTITY": settings.identity}
        if settings.identity is IdentityMode.OPEN:
            warning = "identity is open: anyone can connect as anyone. Never put this where strangers can reach it."
            Annotations.of(self._scope).add_warning_v2("parley:open-identity", warning)
        else:
            environment |= {"TOKEN_SOURCE": settings.token_source, "MAX_TOKEN_HOURS": str(settings.max_token_hours)}
        if settings.identity is IdentityMode.OIDC:
            environment |= {
                "OIDC_ISSUER": str(settings.issuer),
                "OIDC_AUDIENCE": str(settings.audience),
                "OIDC_USER_CLAIM": settings.user_claim,
            }
        if self._secret:
            environment["TOKEN_SECRET_ARN"] = self._secret.secret_arn
        if settings.allowed_origins:
            environment["ALLOWED_ORIGINS"] = settings.allowed_origins
        authorizer = self._make(
            "Authorizer", "authorizer.handler", "Determines which user a handshake speaks for", environment
        )
        if self._secret:
            authorizer.grant(["secretsmanager:GetSecretValue"], self._secret.secret_arn)
            self._grant_key(authorizer, ["Decrypt"], "secretsmanager")
        return authorizer

    def _make_backend(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "RETENTION_DAYS": str(self._settings.retention_days),
            "ANNOUNCED_CHATS": str(self._settings.announced_chats),
            **self._gateway_endpoint(),
            **self._event_bus(),
        }
        backend = self._make(
            "Backend",
            "backend.handler",
            "Serves the product's backend: whoever may invoke it can act as any user",
            environment,
            timeout=BACKEND_TIMEOUT,
        )
        self._grant_table(backend, [*CHATTING, ERASING])
        self._grant_connections(backend, "POST", "DELETE")  # a user that is kicked is told why
        self._grant_bus(backend)
        # An id stands for one message for ten minutes, so what Lambda tries again must not be older.
        backend.invoked.configure_async_invoke(retry_attempts=2, max_event_age=Duration.minutes(5))
        return backend

    def _make_stream(self) -> tuple[ChatFunction, TableStream]:
        """The function that puts on the bus what is stored, and what feeds it."""
        stream = self._make(
            "Stream", "stream.handler", "Puts stored messages and presence on the event bus", self._event_bus()
        )
        arn = str(self._table.table_stream_arn)
        table_stream = TableStream(self._scope, "TableStream", stream_arn=arn, function=stream)
        stream.grant([f"dynamodb:{one}" for one in READING], arn)
        self._grant_key(stream, ["Decrypt"], "dynamodb")
        stream.grant(["sqs:SendMessage"], table_stream.lost.queue_arn)
        self._grant_bus(stream)
        return stream, table_stream

    def _make(
        self,
        id: str,
        handler: str,
        description: str,
        environment: dict[str, str],
        *,
        reserved_concurrency: int | None = None,
        timeout: Duration = TIMEOUT,
    ) -> ChatFunction:
        return ChatFunction(
            self._scope,
            id,
            handler=handler,
            description=description,
            code=self._code,
            environment=environment,
            memory_mb=self._settings.memory_mb,
            tracing=self._settings.tracing and self._target.is_watched,
            has_alias=self._have_alias,
            reserved_concurrency=reserved_concurrency,
            timeout=timeout,
        )

    def _gateway_endpoint(self) -> dict[str, str]:
        """The address of `@connections`, where the SDK itself looks for it."""
        return {"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": self._target.connections_url(self._api.stage)}

    def _event_bus(self) -> dict[str, str]:
        """Where a function puts events, and whether with texts; nothing if it puts none."""
        if self._bus is None:
            return {}
        return {"EVENT_BUS": self._bus.event_bus_name, "EVENT_TEXT": str(self._settings.event_text).lower()}

    def _grant_table(self, function: ChatFunction, operations: list[str], *, partitions: str | None = None) -> None:
        """The operations on the table; `partitions` narrows them to its partitions of that pattern."""
        narrowed = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]}} if partitions else None
        function.grant([f"dynamodb:{one}" for one in operations], self._table.table_arn, narrowed)
        self._grant_key(function, TABLE_KEY, "dynamodb")

    def _grant_key(self, function: ChatFunction, operations: Iterable[str], service: str) -> None:
        """The operations on the customer's key, if there is one, through the service alone: it asks as its caller."""
        if self._key:
            through = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(self._scope).region}.amazonaws.com"}}
            function.grant([f"kms:{one}" for one in operations], self._key.key_arn, through)

    def _grant_connections(self, function: ChatFunction, *methods: str) -> None:
        for method in methods:
            function.grant(["execute-api:ManageConnections"], self._api.connections_arn(method))

    def _grant_bus(self, function: ChatFunction) -> None:
        if self._bus:
            function.grant(["events:PutEvents"], self._bus.event_bus_arn)
