"""The chat as a construct: what it consists of, and what an app can do with it.

In an app of your own:

    chat = Chat(stack, "Chat", settings=ChatSettings(stage="prod"))
    chat.grant_backend(shop)
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .chat_functions import ChatFunctions
from .domain import ChatDomain
from .gradual_shift import GradualShift
from .log_metrics import FunctionName
from .monitoring import Monitoring
from .routes import throttles
from .settings import ChatSettings, EventLevel, IdentityMode, TokenSource
from .table import ChatTable
from .target import secret_arn, target
from .watched import Watched
from .web import ChatWeb
from .web_hosting import SignIn
from .websocket_api import ChatApi

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
        self._settings = settings
        self._target = target(settings.emulator)
        stack = Stack.of(self)
        arn = settings.kms_key_arn
        self._key = kms.Key.from_key_arn(self, "Key", arn) if arn else None
        self._table = ChatTable(self, "Table", settings=settings, key=self._key, tags=tags_of(settings)).table
        self._secret = self._make_secret()
        self._bus = self._make_bus()
        self._api = ChatApi(
            self,
            "Chat",
            name=stack.stack_name,
            stage_name=settings.stage,
            throttle=settings.throttle,
            access_log=settings.access_log and self._target.is_watched,
        )
        self._domain_url = self._make_domain()
        is_shifted = settings.gradual_shift and self._target.has_deployments
        self._functions = ChatFunctions(
            self,
            settings=settings,
            target=self._target,
            table=self._table,
            key=self._key,
            secret=self._secret,
            bus=self._bus,
            api=self._api,
            may_send=may_send.function_arn if may_send else settings.may_send_function,
            have_alias=is_shifted,
        )
        self._api.add_routes(
            authorizer=self._functions.authorizer.invoked,
            identity_source=settings.handshake.identity_source,
            connection=self._functions.connection.invoked,
            message=self._functions.message.invoked,
            route_responses=self._target.has_route_responses,
            throttles=throttles(settings.throttle, settings.rates),
        )
        stream, departures = self._functions.table_stream, self._functions.departures
        self._monitoring = Monitoring(
            self,
            "Monitoring",
            watched=Watched(
                api=self._api,
                table=self._table,
                functions=self._functions.by_name,
                memory_mb=settings.memory_mb,
                namespace=f"Parley/{settings.stage}",
                lost_events=stream.lost if stream else None,
                departures=departures,
            ),
            settings=settings,
            target=self._target,
        )
        if is_shifted:
            GradualShift(self, "Shift", functions=self._functions.by_name, alarms=self._monitoring.alarms)
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
        return {name: it.function for name, it in self._functions.by_name.items()}

    @property
    def backend_function(self) -> lambda_.IFunction:
        """What a backend invokes: the function, or the alias that traffic is shifted behind."""
        return self._functions.backend.invoked

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
            grantee=grantee,
            actions=["lambda:InvokeFunction"],
            resource_arns=[self._functions.backend.invoked.function_arn],
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

    def _make_secret(self) -> secretsmanager.ISecret | None:
        if self._settings.identity is not IdentityMode.TOKEN:
            return None
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
        # By its ARN, so that a grant to read it holds on the emulator, too.
        return secretsmanager.Secret.from_secret_attributes(
            self, "Token", secret_complete_arn=secret_arn(secret), encryption_key=self._key
        )

    def _make_bus(self) -> events.EventBus | None:
        if self._settings.events is EventLevel.NONE:
            return None
        return events.EventBus(self, "Events", description="What happens in the chat: docs/events.md")

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


def tags_of(settings: ChatSettings) -> dict[str, str]:
    """What the table is tagged with, and a stack of ours."""
    return {"application": "parley", "stage": settings.stage}
