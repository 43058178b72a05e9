"""The alarms: each watches for something that should not happen, and links the runbook section that says what to do.

A misbehaving client cannot set one off, with two exceptions that are worth a look anyway: one that uses up the stage's
throttle for everybody, and one that is refused while nobody else connects.
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from .watched import PERIOD, Watched

RUNBOOK = "docs/operations.md"

SLOW_MS = 2_000
"""An acknowledgement that takes longer feels lost to whoever waits for it. Calls take milliseconds."""

TRIES = 3
"""Periods in a row, for what is normal in a single one."""

MANY = 20
"""Refused handshakes in a period. A single client that backs off, as both of ours do, makes fewer."""

FAILED_PUSHES, FAILED_PUSHES_SHARE = 10, 0.01
"""In a period. Fewer are devices on bad networks, which find at their next `sync` what they missed."""

REFUSED_FRAMES, REFUSED_FRAMES_SHARE = 100, 0.05
TABLE_THROTTLES = 10
"""In a period. Each is tried again, so a few are harmless while the table adapts."""

CONCURRENCY_PERCENT = 80

LATE_MS = 15 * 60_000
"""Far longer than a burst takes, and long before a record is given up."""

LATE_DEPARTURE_SECONDS = 30 * 60
"""A message's age may count from when it was sent: this is above the longest grace, and half as long as one is kept."""


class Alarms(Construct):
    """All alarms; they notify the topic, if there is one."""

    def __init__(
        self, scope: Construct, id: str, *, watched: Watched, topic: sns.ITopic | None, has_events: bool
    ) -> None:
        super().__init__(scope, id)
        self.by_name: dict[str, cloudwatch.Alarm] = {}
        self._watched = watched
        self._topic = topic
        self._watch_functions()
        self._watch_handlers()
        self._watch_delivery()
        self._watch_limits()
        self._watch_handshakes()
        if has_events:
            self._watch_events()

    def _watch_functions(self) -> None:
        for name, function in self._watched.functions.items():
            self._alarm(
                f"{name}Errors",
                function.metric_errors(period=PERIOD),
                f"The function {name} crashed or timed out.",
                section="errors-of-a-function",
            )
            self._alarm(
                f"{name}Throttles",
                function.metric_throttles(period=PERIOD),
                f"Lambda could not run the function {name}: no concurrency is left.",
                section="throttles-of-a-function",
            )

    def _watch_handlers(self) -> None:
        """Failures that handlers answer themselves, so that Lambda counts no error; and failures of API Gateway."""
        self._alarm(
            "InternalErrors",
            self._watched.logged("Errors", Code="internal"),
            "Frames or backend operations were answered with the error internal. Clients send them again.",
        )
        self._alarm(
            "ConnectionFailures",
            self._watched.logged("ConnectionFailures"),
            "The connection function failed: handshakes were refused, or presence was not announced.",
        )
        self._alarm(
            "ApiFailures",
            _sum(
                integration=self._watched.api("IntegrationError"),
                execution=self._watched.api("ExecutionError"),
            ),
            "API Gateway could not run a function, or could not read its answer.",
        )
        self._alarm(
            "SlowFrames",
            self._watched.functions["Message"].metric_duration(period=PERIOD, statistic="p99"),
            f"The slowest 1 % of frames took {SLOW_MS} ms or longer.",
            threshold=SLOW_MS,
            periods=TRIES,
        )

    def _watch_delivery(self) -> None:
        self._alarm(
            "FailedPushes",
            _math(
                f"IF(FILL(failed, 0) >= {FAILED_PUSHES} AND "
                f"FILL(failed, 0) > {FAILED_PUSHES_SHARE} * (FILL(failed, 0) + FILL(taken, 0)), 1, 0)",
                failed=self._watched.logged("FailedPushes"),
                taken=self._watched.logged("Deliveries"),
            ),
            "More than 1 % of pushes failed. Messages are stored, but arrive late.",
        )
        self._alarm(
            "AnnouncementFailures",
            _sum(
                failed=self._watched.logged("AnnouncementFailures"),
                dropped=self._watched.functions["Announcement"].metric(
                    "AsyncEventsDropped", statistic="Sum", period=PERIOD
                ),
            ),
            "Presence was not announced: an announcement failed, or Lambda dropped it.",
        )
        if departures := self._watched.departures:
            self._alarm(
                "DeparturesLate",
                departures.queue.metric_approximate_age_of_oldest_message(period=PERIOD),
                "For half an hour nobody was told that users went away: their queue is not read, or too slowly.",
                threshold=LATE_DEPARTURE_SECONDS,
            )
            self._alarm(
                "DeparturesLost",
                departures.lost.metric_approximate_number_of_messages_visible(period=PERIOD),
                "Nobody was told that users went away, though it was tried several times.",
            )

    def _watch_limits(self) -> None:
        self._alarm(
            "RefusedByApi",
            _math(
                f"IF(FILL(refused, 0) >= {REFUSED_FRAMES} AND "
                f"FILL(refused, 0) > {REFUSED_FRAMES_SHARE} * FILL(frames, 0), 1, 0)",
                refused=self._watched.api("ClientError"),
                frames=self._watched.api("MessageCount"),
            ),
            "API Gateway refused handshakes or frames: a throttle was reached, or handshakes had no token.",
        )
        self._alarm(
            "TableThrottles",
            _sum(
                reads=self._watched.table("ReadThrottleEvents"),
                writes=self._watched.table("WriteThrottleEvents"),
            ),
            "DynamoDB throttled the table, or one partition of it.",
            threshold=TABLE_THROTTLES,
        )
        running = cloudwatch.Metric(
            namespace="AWS/Usage",
            metric_name="ResourceCount",
            dimensions_map={
                "Service": "Lambda",
                "Resource": "ConcurrentExecutions",
                "Type": "Resource",
                "Class": "None",
            },
            statistic="Maximum",
            period=PERIOD,
        )
        self._alarm(
            "Concurrency",
            _math("running / SERVICE_QUOTA(running) * 100", running=running),
            f"The account's functions use at least {CONCURRENCY_PERCENT} % of its concurrent executions.",
            threshold=CONCURRENCY_PERCENT,
        )

    def _watch_handshakes(self) -> None:
        self._alarm(
            "EveryHandshakeRefused",
            _math(
                f"IF(FILL(refused, 0) >= {MANY} AND FILL(allowed, 0) < 1, 1, 0)",
                refused=self._watched.logged("HandshakesRefused"),
                allowed=self._watched.logged("HandshakesAllowed"),
            ),
            "Nobody gets in: every handshake was refused for a quarter of an hour.",
            periods=TRIES,
        )

    def _watch_events(self) -> None:
        self._alarm(
            "EventFailures",
            self._watched.logged("EventFailures"),
            "Events could not be put on the bus. Messages are still stored and delivered.",
        )
        if self._watched.lost_events is None:
            return
        self._alarm(
            "EventsLate",
            self._watched.functions["Stream"].metric("IteratorAge", statistic="Maximum", period=PERIOD),
            f"Events from the table's stream are more than {LATE_MS // 60_000} minutes late.",
            threshold=LATE_MS,
        )
        self._alarm(
            "EventsLost",
            self._watched.lost_events.metric_approximate_number_of_messages_visible(period=PERIOD),
            "Events from the table's stream were given up; the queue says where in the stream they are.",
        )

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        what: str,
        *,
        threshold: float = 1,
        periods: int = 1,
        section: str | None = None,
    ) -> None:
        """An alarm whose metric reaches the threshold in each of the last periods. It names its runbook section."""
        alarm = cloudwatch.Alarm(
            self,
            id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{what} What to do: {RUNBOOK}#{section or id.lower()}",
        )
        self.by_name[id] = alarm
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
            alarm.add_ok_action(actions.SnsAction(self._topic))


def _sum(**metrics: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    """Their sum; one without data counts as 0."""
    return _math(" + ".join(f"FILL({name}, 0)" for name in metrics), **metrics)


def _math(expression: str, **metrics: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(expression=expression, using_metrics=metrics, period=PERIOD)
