"""The log: one JSON line, and nothing that an exception quotes."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from chat import log


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    log.line("INFO", "frame", user="alice", text="two\nlines", count=1, absent=None)

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    line = json.loads(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {"level": "INFO", "message": "frame", "user": "alice", "text": "two\nlines", "count": 1}


def test_lines_of_threads_do_not_run_into_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: log.line("INFO", "x" * 500, number=number), range(200)))

    numbers = [json.loads(line)["number"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(numbers) == list(range(200))


def failing(text: str) -> None:
    raise ValueError(text)


def test_a_failure_says_what_and_where_and_not_the_exceptions_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        failing("hunter2")
    except ValueError as error:
        log.failure("frame failed", error, request_id="r")

    out = capsys.readouterr().out
    assert "hunter2" not in out
    line = json.loads(out)
    assert (line["level"], line["message"], line["error"], line["request_id"]) == (
        "ERROR",
        "frame failed",
        "ValueError",
        "r",
    )
    assert re.fullmatch(r"test_log\.py:\d+ failing", line["where"][-1])
    assert "aws_error" not in line


def test_a_failure_of_aws_shows_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "hunter2"}}, "Query")

    log.failure("frame failed", error)

    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert json.loads(out)["aws_error"] == "AccessDeniedException"


@pytest.mark.parametrize("response", ["text", {}, {"Error": {}}, None])
def test_an_exception_with_a_response_of_its_own_kind_is_logged_too(
    capsys: pytest.CaptureFixture[str], response: object
) -> None:
    class Odd(Exception):
        def __init__(self) -> None:
            super().__init__("odd")
            self.response = response

    log.failure("frame failed", Odd())

    assert json.loads(capsys.readouterr().out)["error"] == "Odd"
