"""The chat as a construct: composes the parts, and grants each function what it calls and nothing else.

In an app of your own:

    chat = Chat(stack, "Chat", settings=ChatSettings(stage="prod"))
    chat.grant_backend(shop)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .bundle import LOCK, OIDC_LOCK
from .domain import ChatDomain
from .functions import TIMEOUT, ChatFunction, asset
from .goings import RECEIVING, Goings
from .gradual_shift import GradualShift
from .log_metrics import FunctionName
from .monitoring import Monitoring
from .routes import throttles
from .sdk_description import OPERATIONS
from .settings import ChatSettings, EventLevel, IdentityMode, TokenSource
from .table import ChatTable
from .table_stream import READING, TableStream
from .target import secret_arn, target
from .watched import Watched
from .web import ChatWeb
from .web_hosting import SignIn
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

Conditions = Mapping[str, Mapping[str, str | list[str]]]

BACKEND_TIMEOUT = Duration.seconds(30)
"""Above the time that an operation gives itself (chat/budget.py)."""

SECRET_LENGTH = 64  # characters; HS256 requires a key of at least 32 bytes (RFC 7518, section 3.2)


class Chat(Construct):
    """The whole chat, in a stack of yours or alone in ours (`chat_stack`). One in a stack.

    `settings` are what a deployment can choose, see `ChatSettings`. `may_send` is a function of yours that is asked
    before the first message between two users; `settings` can name one, too. Raises BadContext if they cannot be used.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: ChatSettings | None = None,
        may_send: lambda_.IFunction | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = (settings or ChatSettings()).checked()
        self._target = target(settings.emulator)
        stack = Stack.of(self)
        self._settings = settings
        self._may_send = may_send.function_arn if may_send else settings.may_send_function
        arn = settings.kms_key_arn
        self._key = kms.Key.from_key_arn(self, "Key", arn) if arn else None
        tags = tags_of(settings)
        self._table = ChatTable(self, "Table", settings=settings, key=self._key, tags=tags).table
        self._secret: secretsmanager.ISecret | None = None
        self._api = ChatApi(
            self,
            "Chat",
            name=stack.stack_name,
            stage_name=settings.stage,
            throttle=settings.throttle,
            access_log=settings.access_log and self._target.is_watched,
        )
        self._domain_url = self._make_domain()
        self._bus = self._make_bus()
        self._code = asset(OIDC_LOCK if settings.identity is IdentityMode.OIDC else LOCK)
        self._message = self._message_function()
        self._announcement = self._announcement_function()
        self._goings = self._queue_goings()
        self._connection = self._connection_function()
        self._authorizer = self._authorizer_function()
        self._backend = self._backend_function()
        self._stream = self._read_stream()
        self._api.add_routes(
            authorizer=self._authorizer.invoked,
            identity_source=settings.handshake.identity_source,
            connection=self._connection.invoked,
            message=self._message.invoked,
            route_responses=self._target.has_route_responses,
            throttles=throttles(settings.throttle, settings.rates),
        )
        self._functions: dict[FunctionName, ChatFunction] = {
            "Announcement": self._announcement,
            "Authorizer": self._authorizer,
            "Backend": self._backend,
            "Connection": self._connection,
            "Message": self._message,
        }
        if self._stream:
            self._functions["Stream"] = self._stream[0]
        self._monitoring = Monitoring(
            self,
            "Monitoring",
            watched=Watched(
                api=self._api,
                table=self._table,
                functions=self._functions,
                memory_mb=settings.memory_mb,
                namespace=f"Parley/{settings.stage}",
                lost_events=self._stream[1].lost if self._stream else None,
                goings=self._goings,
            ),
            settings=settings,
            target=self._target,
        )
        if self._shifts:
            GradualShift(self, "Shift", functions=self._functions, alarms=self._monitoring.alarms)
        self.web_url = self._host_page() if settings.web else None
        """Where the web page is, if the chat hosts it."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._domain_url or str(self._api.stage.url)

    @property
    def callback_url(self) -> str:
        """The address of `@connections`, by which connections are pushed to; see `grant_connections`."""
        return self._target.connections_url(self._api.stage)

    @property
    def table(self) -> dynamodb.ITableV2:
        """The one table. Its items are the chat's own affair: a backend asks the backend function."""
        return self._table

    @property
    def functions(self) -> Mapping[FunctionName, lambda_.Function]:
        """The functions by name."""
        return {name: it.function for name, it in self._functions.items()}

    @property
    def backend_function(self) -> lambda_.IFunction:
        """What a backend invokes: the function, or the alias that traffic is shifted behind."""
        return self._backend.invoked

    @property
    def token_secret(self) -> secretsmanager.ISecret | None:
        """What connection tokens are signed with; None where a user's identity is not `token`."""
        return self._secret

    @property
    def bus(self) -> events.IEventBus | None:
        """Where your rules find what happens in the chat; None without the setting `events`."""
        return self._bus

    @property
    def dashboard(self) -> cloudwatch.Dashboard | None:
        """None on the emulator, which has none."""
        return self._monitoring.dashboard

    def grant_backend(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets a backend invoke the backend function, and so speak as anybody and read everything."""
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[self._backend.invoked.function_arn]
        )

    def grant_connections(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets a function of yours push frames of its own to the chat's connections, ask about them and close them."""
        arns = [self._api.connections_arn(method) for method in ("DELETE", "GET", "POST")]
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["execute-api:ManageConnections"], resource_arns=arns
        )

    def add_alarm_action(self, action: cloudwatch.IAlarmAction) -> None:
        """Does this whenever one of the alarms goes off. On the emulator there are none."""
        for alarm in self._monitoring.alarms.values():
            alarm.add_alarm_action(action)

    def _message_function(self) -> ChatFunction:
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
        message = self._function(
            "Message",
            "message.handler",
            "Answers every frame that a client sends",
            environment,
            reserved_concurrency=self._settings.reserved_concurrency,
        )
        self._grant_table(message, CHATTING)
        self._grant_table(message, [ERASING], partitions=LOGS)  # what has expired, before the numbers begin again
        for method in ("POST", "DELETE"):  # one whose token has expired, or whose user does not stop, is closed
            self._grant(message, ["execute-api:ManageConnections"], self._api.connections_arn(method))
        self._grant_bus(message)
        if self._may_send:
            self._grant(message, ["lambda:InvokeFunction"], self._may_send)
        return message

    def _announcement_function(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "ANNOUNCED_CHATS": str(self._settings.announced_chats),
            "USER_RATE": str(self._settings.user_rate),
            **self._gateway_endpoint(),
        }
        announcement = self._function(
            "Announcement", "announcement.handler", "Tells chat partners of comings and goings", environment
        )
        # What is told again is no news: presence has a newer state by then. Lambda may still deliver an event twice.
        announcement.invoked.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        self._grant_table(announcement, ["BatchGetItem", "Query", "UpdateItem"], partitions=USERS)
        self._grant(announcement, ["execute-api:ManageConnections"], self._api.connections_arn("POST"))
        return announcement

    def _connection_function(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "ANNOUNCEMENT_FUNCTION": self._announcement.invoked.function_name,
            "GRACE_SECONDS": str(self._settings.grace_seconds),
            "RETENTION_DAYS": str(self._settings.retention_days),
            "USER_RATE": str(self._settings.user_rate),
            **self._gateway_endpoint(),
        }
        if self._goings:
            environment["GOINGS_QUEUE"] = self._goings.queue.queue_url
        connection = self._function(
            "Connection", "connection.handler", "Registers connections and takes them out", environment
        )
        self._grant_table(connection, ["UpdateItem"], partitions=USERS)
        for method in ("POST", "DELETE"):  # a connection is told why it is closed
            self._grant(connection, ["execute-api:ManageConnections"], self._api.connections_arn(method))
        self._grant(connection, ["lambda:InvokeFunction"], self._announcement.invoked.function_arn)
        if self._goings:
            self._grant(connection, ["sqs:SendMessage"], self._goings.queue.queue_arn)
        return connection

    def _queue_goings(self) -> Goings | None:
        """Where a going waits, unless it is told at once."""
        if self._settings.grace_seconds == 0:
            return None
        goings = Goings(self, "Goings", function=self._announcement, enforce_ssl=self._target.has_tls)
        self._grant(self._announcement, [f"sqs:{one}" for one in RECEIVING], goings.queue.queue_arn)
        return goings

    def _backend_function(self) -> ChatFunction:
        environment = {
            "TABLE_NAME": self._table.table_name,
            "RETENTION_DAYS": str(self._settings.retention_days),
            "ANNOUNCED_CHATS": str(self._settings.announced_chats),
            **self._gateway_endpoint(),
            **self._event_bus(),
        }
        backend = self._function(
            "Backend",
            "backend.handler",
            "Does what a product's backend asks for: whoever may invoke it may speak as anybody",
            environment,
            timeout=BACKEND_TIMEOUT,
        )
        self._grant_table(backend, [*CHATTING, ERASING])
        for method in ("POST", "DELETE"):  # a user that is kicked is told why
            self._grant(backend, ["execute-api:ManageConnections"], self._api.connections_arn(method))
        self._grant_bus(backend)
        # An id stands for one message for ten minutes, so what Lambda tries again must not be older.
        backend.invoked.configure_async_invoke(retry_attempts=2, max_event_age=Duration.minutes(5))
        return backend

    def _make_bus(self) -> events.EventBus | None:
        if self._settings.events is EventLevel.NONE:
            return None
        return events.EventBus(self, "Events", description="What happens in the chat: docs/events.md")

    def _read_stream(self) -> tuple[ChatFunction, TableStream] | None:
        """The function that puts on the bus what is stored, and what feeds it."""
        if self._settings.events is not EventLevel.MESSAGES:
            return None
        function = self._function("Stream", "stream.handler", "Tells the product what is stored", self._event_bus())
        arn = str(self._table.table_stream_arn)
        stream = TableStream(self, "TableStream", stream_arn=arn, function=function)
        self._grant(function, [f"dynamodb:{one}" for one in READING], arn)
        self._grant_key(function, ["Decrypt"], "dynamodb")
        self._grant(function, ["sqs:SendMessage"], stream.lost.queue_arn)
        self._grant_bus(function)
        return function, stream

    def _authorizer_function(self) -> ChatFunction:
        settings = self._settings
        match settings.identity:
            case IdentityMode.OPEN:
                warning = "identity is open: anyone can connect as anyone. Never put this where strangers can reach it."
                Annotations.of(self).add_warning_v2("parley:open-identity", warning)
                return self._gatekeeper({})
            case IdentityMode.OIDC:
                return self._gatekeeper(
                    {
                        "TOKEN_SOURCE": settings.token_source,
                        "MAX_TOKEN_HOURS": str(settings.max_token_hours),
                        "OIDC_ISSUER": str(settings.issuer),
                        "OIDC_AUDIENCE": str(settings.audience),
                        "OIDC_USER_CLAIM": settings.user_claim,
                    }
                )
            case IdentityMode.TOKEN:
                return self._gatekeeper_with_secret()

    def _gatekeeper_with_secret(self) -> ChatFunction:
        secret = secretsmanager.Secret(
            self,
            "TokenSecret",
            description="Signs connection tokens (HS256)",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=SECRET_LENGTH, exclude_punctuation=True
            ),
            encryption_key=self._key,
            # A first deploy that fails takes it with it: no token was signed with it.
            removal_policy=RemovalPolicy.DESTROY
            if self._settings.throwaway
            else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        arn = secret_arn(secret)
        # By its ARN, so that a grant to read it holds on the emulator, too.
        self._secret = secretsmanager.Secret.from_secret_attributes(
            self, "Token", secret_complete_arn=arn, encryption_key=self._key
        )
        authorizer = self._gatekeeper(
            {
                "TOKEN_SOURCE": self._settings.token_source,
                "MAX_TOKEN_HOURS": str(self._settings.max_token_hours),
                "TOKEN_SECRET_ARN": arn,
            }
        )
        self._grant(authorizer, ["secretsmanager:GetSecretValue"], arn)
        self._grant_key(authorizer, ["Decrypt"], "secretsmanager")
        return authorizer

    def _gatekeeper(self, environment: dict[str, str]) -> ChatFunction:
        environment = {"IDENTITY": self._settings.identity, **environment}
        if self._settings.allowed_origins:
            environment["ALLOWED_ORIGINS"] = self._settings.allowed_origins
        return self._function("Authorizer", "authorizer.handler", "Says who a handshake speaks for", environment)

    def _function(
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
            self,
            id,
            handler=handler,
            description=description,
            code=self._code,
            environment=environment,
            memory_mb=self._settings.memory_mb,
            tracing=self._settings.tracing and self._target.is_watched,
            has_alias=self._shifts,
            reserved_concurrency=reserved_concurrency,
            timeout=timeout,
        )

    @property
    def _shifts(self) -> bool:
        return self._settings.gradual_shift and self._target.has_deployments

    def _make_domain(self) -> str | None:
        """Where clients connect, if that is a domain of their own."""
        name, zone = self._settings.domain_name, self._settings.hosted_zone_id
        if name is None or zone is None or not self._target.has_deployments:
            return None
        return ChatDomain(self, "Domain", name=name, hosted_zone_id=zone, stage=self._api.stage).url

    def _host_page(self) -> str:
        settings = self._settings
        stack = Stack.of(self)
        return ChatWeb(
            self,
            "Web",
            name=f"{stack.stack_name}-{stack.region}",
            url=self._domain_url or self._target.socket_url(self._api.stage),
            sign_in=SignIn.OPEN if settings.identity is IdentityMode.OPEN else SignIn.TOKEN,
            token_in="subprotocol" if settings.token_source is TokenSource.SUBPROTOCOL else "query",
            throwaway=settings.throwaway,
            custom_resources=self._target.has_custom_resources,
        ).url

    def _gateway_endpoint(self) -> dict[str, str]:
        """The address of `@connections`, where the SDK itself looks for it."""
        return {"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": self.callback_url}

    def _event_bus(self) -> dict[str, str]:
        """Where a function puts events, and whether with texts; nothing if it puts none."""
        if self._bus is None:
            return {}
        return {"EVENT_BUS": self._bus.event_bus_name, "EVENT_TEXT": str(self._settings.event_text).lower()}

    def _grant_bus(self, grantee: ChatFunction) -> None:
        if self._bus:
            self._grant(grantee, ["events:PutEvents"], self._bus.event_bus_arn)

    def _grant_table(self, grantee: ChatFunction, operations: list[str], *, partitions: str | None = None) -> None:
        """The operations on the table; `partitions` narrows them to its partitions of that pattern."""
        narrowed = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]}} if partitions else None
        self._grant(grantee, [f"dynamodb:{one}" for one in operations], self._table.table_arn, narrowed)
        self._grant_key(grantee, TABLE_KEY, "dynamodb")

    def _grant_key(self, grantee: ChatFunction, operations: Iterable[str], service: str) -> None:
        """The operations on the customer's key, if there is one, through the service alone: it asks as its caller."""
        if self._key:
            through = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(self).region}.amazonaws.com"}}
            self._grant(grantee, [f"kms:{one}" for one in operations], self._key.key_arn, through)

    def _grant(
        self, grantee: ChatFunction, actions: list[str], resource: str, conditions: Conditions | None = None
    ) -> None:
        """Named actions on one resource: the CDK's own grants add actions and resources that nothing here uses."""
        statement = iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions)
        grantee.role.add_to_policy(statement)


def tags_of(settings: ChatSettings) -> dict[str, str]:
    """What the table is tagged with, and a stack of ours."""
    return {"application": "parley", "stage": settings.stage}
