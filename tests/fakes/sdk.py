"""The SDK's client at its own boundary: what it was asked to do, and faults between it and the code above it.

Everything hangs on botocore's events, so the code under test is the code that runs on AWS, and no call is missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from threading import Lock
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError


@dataclass(frozen=True, slots=True)
class Call:
    """One call to DynamoDB and its answer."""

    operation: str
    arguments: dict[str, Any]
    response: dict[str, Any]

    @property
    def refused(self) -> bool:
        """Whether the condition of a write did not hold."""
        return bool(self.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException")


class Recorder:
    """Keeps every call that a client makes; a retry of the SDK's own is part of its call."""

    def __init__(self, client: Any, observe: Callable[[Call], None] | None = None) -> None:
        self.calls: list[Call] = []
        self._observe = observe
        client.meta.events.register("before-call.dynamodb", self._before)
        client.meta.events.register("after-call.dynamodb", self._after)

    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["arguments"] = json.loads(params["body"])

    def _after(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        call = Call(model.name, context["arguments"], parsed)
        self.calls.append(call)
        if self._observe is not None:
            self._observe(call)


class Crash(BaseException):
    """The function dies: no code of ours may catch this, as none would run."""


class Fault(Enum):
    """What can happen to one call."""

    CRASH_BEFORE = "the function dies before the call"
    CRASH_AFTER = "the function dies after the call"
    THROTTLED = "the call is throttled"
    UNAVAILABLE = "the call is answered 500"
    TIMEOUT_BEFORE = "the call never arrives"
    TIMEOUT_AFTER = "the call is done and its reply is lost"
    RESENT = "the call is done, its reply is lost, and the SDK sends it again"


_ERRORS = {
    Fault.THROTTLED: (HTTPStatus.BAD_REQUEST, "ThrottlingException"),
    Fault.UNAVAILABLE: (HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError"),
}


class Faults:
    """Lets one fault happen to one call of a client. It stands above the SDK's own retries, so none of them waits."""

    def __init__(self, client: Any) -> None:
        self._lock = Lock()
        self._fault: Fault | None = None
        self._remaining = 0
        client.meta.events.register("before-call.dynamodb", self._before)
        client.meta.events.register("after-call.dynamodb", self._after)
        client.meta.events.register("needs-retry.dynamodb", self._needs_retry)

    @contextmanager
    def at(self, call: int, fault: Fault | None) -> Iterator[None]:
        """While this lasts, the fault happens to the call of this number, counted from 0."""
        self._remaining, self._fault = call, fault
        try:
            yield
        finally:
            self.disarm()

    def disarm(self) -> None:
        """Takes back a fault that is still to come."""
        self._fault = None

    @property
    def pending(self) -> bool:
        """Whether the fault is still to come."""
        return self._fault is not None

    def _due(self) -> Fault | None:
        with self._lock:
            if self._fault is None:
                return None
            if self._remaining:
                self._remaining -= 1
                return None
            fault, self._fault = self._fault, None
            return fault

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> Any:
        fault = self._due()
        if fault is Fault.CRASH_BEFORE:
            raise Crash
        if fault is Fault.TIMEOUT_BEFORE:
            raise ReadTimeoutError(endpoint_url=params["url"])
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            error = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            return AWSResponse(params["url"], status, HTTPHeaders(), None), error
        context["fault"] = fault
        return None

    def _after(self, context: dict[str, Any], **_: object) -> None:
        match context.get("fault"):
            case Fault.CRASH_AFTER:
                raise Crash
            case Fault.TIMEOUT_AFTER:
                raise ReadTimeoutError(endpoint_url="")

    def _needs_retry(self, request_dict: dict[str, Any], attempts: int, **_: object) -> float | None:
        return 0 if attempts == 1 and request_dict["context"].get("fault") is Fault.RESENT else None
