"""Metrics counted from the functions' log lines, with a metric filter each, so that no handler waits for a metric.

Each value of a dimension is a metric of its own, so only fields with values of ours can be one: never a user, a
connection or anything else that a client chooses.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

FunctionName = Literal["Announcement", "Authorizer", "Backend", "Connection", "Message", "Stream"]

PUSHING: tuple[FunctionName, ...] = ("Message", "Announcement", "Backend")
"""The functions that push to other users' connections."""


class Dimension(NamedTuple):
    """A metric's dimension, and the field of the line that holds its value."""

    name: str
    field: str


class LogMetric(NamedTuple):
    """A metric: which functions' logs it is read from, and how much each matching line counts.

    The pattern is in CloudWatch's syntax for JSON:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """

    name: str
    functions: tuple[FunctionName, ...]
    pattern: str
    value: str = "1"
    dimension: Dimension | None = None


LOG_METRICS = (
    LogMetric("HandshakesAllowed", ("Authorizer",), '{ $.message = "handshake allowed" }'),
    LogMetric("HandshakesRefused", ("Authorizer",), '{ $.message = "handshake refused" }'),
    LogMetric(
        "HandshakesRefusedByReason",
        ("Authorizer",),
        '{ $.message = "handshake refused" }',
        dimension=Dimension("Reason", "$.reason"),
    ),
    LogMetric("ConnectionLimits", ("Connection",), '{ $.message = "connection limit" }'),
    LogMetric("HandshakesLimited", ("Connection",), "{ $.limited IS TRUE }"),
    LogMetric("ConnectionFailures", ("Connection",), '{ $.level = "ERROR" }'),
    LogMetric(
        "Messages",
        ("Message",),
        '{ ($.message = "frame") && ($.action = "send") && ($.code NOT EXISTS) && ($.duplicate NOT EXISTS) }',
    ),
    LogMetric(
        "Messages",
        ("Backend",),
        '{ ($.message = "operation") && ($.action = "send") && ($.code NOT EXISTS) && ($.duplicate NOT EXISTS) }',
    ),
    LogMetric("Duplicates", ("Message", "Backend"), "{ $.duplicate IS TRUE }"),
    LogMetric("AppendConflicts", ("Message", "Backend"), '{ $.message = "append conflict" }'),
    LogMetric("Deliveries", PUSHING, "{ $.taken > 0 }", value="$.taken"),
    LogMetric("GoneConnections", PUSHING, "{ $.gone > 0 }", value="$.gone"),
    LogMetric("FailedPushes", PUSHING, "{ $.failed > 0 }", value="$.failed"),
    LogMetric(
        "Errors", ("Message",), '{ ($.message = "frame") && ($.code = "*") }', dimension=Dimension("Code", "$.code")
    ),
    LogMetric(
        "Errors",
        ("Backend",),
        '{ ($.message = "operation") && ($.code = "*") }',
        dimension=Dimension("Code", "$.code"),
    ),
    LogMetric("FramesLimited", ("Message",), '{ ($.message = "frame") && ($.limited IS TRUE) }'),
    LogMetric("UsersBarred", ("Message",), '{ $.message = "user barred" }'),
    LogMetric("Announcements", ("Announcement",), '{ $.message = "announcement" }'),
    LogMetric("WentOffline", ("Announcement",), '{ ($.message = "announcement") && ($.online IS FALSE) }'),
    LogMetric("AnnouncementFailures", PUSHING, '{ $.message = "announcement failed" }'),
    LogMetric("PruneFailures", PUSHING, '{ $.message = "prune failed" }'),
)

EVENT_METRICS = (LogMetric("EventFailures", ("Message", "Backend", "Stream"), '{ $.message = "event failed" }'),)
"""Counted if events are put on a bus. The function `Stream` exists only with all events."""
