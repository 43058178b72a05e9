"""Queries of CloudWatch Logs Insights: all in its list of saved queries, some on the dashboard."""

from __future__ import annotations

from typing import NamedTuple

from .log_metrics import FunctionName

ALL: tuple[FunctionName, ...] = ("Announcement", "Authorizer", "Backend", "Connection", "Message", "Stream")

_PERCENTILES = ", ".join(f"pct(duration_ms, {it}) as p{it}" for it in (50, 95, 99))


class Query(NamedTuple):
    """A query, and the functions whose logs it reads, if they are deployed.

    Words in capitals are for the reader to fill in.
    """

    functions: tuple[FunctionName, ...]
    lines: tuple[str, ...]


QUERIES = {
    "routes": Query(
        ("Message",),
        (
            'filter message = "frame"',
            f"stats count(*) as frames, {_PERCENTILES} by action",
            "sort frames desc",
        ),
    ),
    "errors": Query(
        ALL,
        (
            'filter level = "ERROR"',
            "stats count(*) as times, latest(@timestamp) as last by message, error, aws_error",
            "sort times desc",
        ),
    ),
    "limited": Query(
        ("Message",),
        ("filter ispresent(code)", "stats count(*) as frames by code, user", "sort frames desc", "limit 20"),
    ),
    "refused": Query(
        ("Authorizer",),
        ('filter message = "handshake refused"', "stats count(*) as times by reason", "sort times desc"),
    ),
    "slowest": Query(
        ("Message",),
        (
            'filter message = "frame"',
            "sort duration_ms desc",
            "limit 20",
            "display @timestamp, action, user, duration_ms, taken, gone, failed, request_id",
        ),
    ),
    "user": Query(
        ALL,
        (
            'filter user = "USER"',
            "sort @timestamp asc",
            "display @timestamp, message, event, action, code, connection, duration_ms, request_id",
        ),
    ),
    "connection": Query(
        ALL,
        (
            'filter connection = "CONNECTION"',
            "sort @timestamp asc",
            "display @timestamp, message, event, action, code, user, duration_ms, request_id",
        ),
    ),
}
