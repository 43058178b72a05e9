"""CPU of a warm `send`: the whole handler, beside nothing but the SDK calls that it makes."""

from __future__ import annotations

import cProfile
import io
import itertools
import json
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from unittest import mock

import boto3
from botocore import xform_name

from bench import plots
from bench.functions import as_bundled, bundled, environment, event, imported, running_in
from bench.history import DATE, NOT_HERE, VERSION, asset_of_before
from bench.measure import Limit, Section, interleave, medians, table
from bench.stub import stub
from chat.api_gateway import ApiGateway
from chat.delivery import Pushed
from chat.sdk import client, session
from local.emulator import clean_environment

ROUNDS = 25
SENDS = 40  # a round
PROFILED = 500
PROCESS = Path(__file__).with_name("warm_process.py")
PROCESSES = 5  # of each asset
TOP = 10
TABLE: Final = "dynamodb"
GATEWAY: Final = "apigatewaymanagementapi"

NOW, THEN, THEN_REMEMBERED = "now", f"before ({DATE})", f"before ({DATE}), the conversation's tail remembered"

SEVEN_CALLS = "[why](decisions.md#a-warm-send-is-its-seven-calls)"


class SdkCall(NamedTuple):
    service: str
    method: str
    arguments: dict[str, Any]


class Measured(NamedTuple):
    calls: Sequence[SdkCall]
    cpu: Mapping[str, float]
    """Milliseconds of one `send`: the handler's, with and without threads; its calls', the same through untuned boto3,
    and with resources."""
    profile: str


def run() -> Section:
    measured = _measure()
    with stub() as url:
        assets = by_asset(url)
    whole, _, bare, plain, _ = measured.cpu.values()
    alone = f"the tuned calls alone are {bare / plain:.2f}; {SEVEN_CALLS}"
    return Section(
        "Warm CPU of a send",
        _text(measured, assets),
        [
            Limit("warm handler, × its tuned SDK calls alone", whole / bare, 1.25, SEVEN_CALLS),
            Limit("warm handler, × the same calls through untuned boto3", whole / plain, 0.8, alone),
        ],
        {"warm-cpu": partial(plots.bars, title="CPU of a warm send, ms", values=measured.cpu, ours=["handler"])},
    )


def _measure() -> Measured:
    with stub() as url, running_in(environment(url, f"{url}/stage")):
        with as_bundled():
            message, ours = imported("message"), client(TABLE)
            gateway = _Signed(ApiGateway(session(), f"{url}/stage"))
        numbers = itertools.count(1)

        def send() -> None:
            message.handler(event(next(numbers)), None)  # each with an id of its own: none is a retry

        send()  # opens the connections
        calls = _calls_of(send, message._routes)
        tuned: dict[str, Any] = {TABLE: ours, GATEWAY: gateway}
        untuned: dict[str, Any] = {TABLE: boto3.client(TABLE), GATEWAY: boto3.client(GATEWAY)}
        resources = {**untuned, TABLE: boto3.resource(TABLE).meta.client}
        plain_calls = [call._replace(arguments=_plain(call.arguments)) for call in calls]
        sides = {
            "handler": partial(_cpu, send),
            "handler, one call after another": partial(_cpu, partial(_in_turn, message._routes, send)),
            "its SDK calls, tuned": partial(_cpu, lambda: _replay(calls, tuned)),
            "its SDK calls, untuned boto3": partial(_cpu, lambda: _replay(calls, untuned)),
            "its SDK calls, untuned boto3 with resources": partial(_cpu, lambda: _replay(plain_calls, resources)),
        }
        interleave(sides, 2)  # connections are opened, caches filled
        return Measured(calls, medians(interleave(sides, ROUNDS)), _profile(send))


class Warm(NamedTuple):
    """Milliseconds of one `send`: of CPU, and from the event to the end of the handler."""

    cpu: float
    wall: float


def by_asset(url: str) -> dict[str, Warm]:
    """Of the whole asset, in processes of their own: what is imported here is of today. At the stub of the URL."""
    with tempfile.TemporaryDirectory() as folder:
        ours, then = bundled(Path(folder)), asset_of_before(Path(folder))
        sides = {NOW: partial(_in_a_process, ours, url)}
        if then:
            sides[THEN] = partial(_in_a_process, then, url, to_others=True)
            sides[THEN_REMEMBERED] = partial(_in_a_process, then, url)
        found = interleave(sides, PROCESSES)
    return {name: Warm(*map(median, zip(*runs, strict=True))) for name, runs in found.items()}


def _in_a_process(asset: Path, url: str, *, to_others: bool = False) -> Warm:
    command = [sys.executable, str(PROCESS), str(asset), json.dumps(event(1)), "to others" if to_others else ""]
    variables = {**clean_environment(), **environment(url, f"{url}/stage")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return Warm(*map(float, done.stdout.split()))


def _before(assets: Mapping[str, Warm]) -> str:
    if len(assets) == 1:
        return NOT_HERE
    rows = [(name, f"{warm.cpu:.2f}") for name, warm in assets.items()]
    return f"""\
The whole asset beside that of {DATE} (`{VERSION}`, from the project's history), in processes of their own, {PROCESSES}
of each, interleaved. It made five calls where it remembered the conversation's tail and six where not, the push last.

{table(["", "CPU, ms"], rows)}"""


def _text(measured: Measured, assets: Mapping[str, Warm]) -> str:
    bare = measured.cpu["its SDK calls, tuned"]
    rows = [(name, f"{value:.2f}", f"{value / bare:.2f}") for name, value in measured.cpu.items()]
    methods = [call.method for call in measured.calls]
    return f"""\
Milliseconds of CPU of one `send`, its threads included, against a stub in another process; medians of {ROUNDS}
interleaved rounds of {SENDS}. It makes {len(methods)} calls: {", ".join(methods)}.

{table(["", "CPU, ms", "× the tuned calls"], rows)}

Tuned are the clients of `lambda_src/chat/sdk.py`: a short user agent, no second validation of what was checked
already, one event handler instead of all of the SDK's, and the asset's description of DynamoDB
(`stacks/sdk_description.py`); and the push of `lambda_src/chat/api_gateway.py`, signed and sent without a client. The
garbage collector is turned down for all sides, as `lambda_src/chat` does it, which saves the untuned ones about 1 %.
The handler makes some of its calls side by side; on two free cores their threads contend for the interpreter's lock.
What that costs is the difference to the row with one call after another; a busy or a smaller machine spends less of it.

{_before(assets)}

The ten functions with the most time of their own, over {PROFILED} sends, in the handler's own thread. Methods of locks
and sockets are time spent waiting for the other thread and for the stub:

```
{measured.profile}
```
"""


def _in_turn(routes: Any, send: Callable[[], None]) -> None:
    """A send whose calls wait for each other, so that no threads compete for the interpreter's lock."""
    with ExitStack() as stack:
        for caller in (routes, routes._conversations, routes._delivery):
            stack.enter_context(mock.patch.object(caller, "_parallel", lambda calls: [call() for call in calls]))
        send()


def _calls_of(send: Callable[[], None], routes: Any) -> list[SdkCall]:
    """The SDK calls of one `send`, seen at the client and the gateway of the handler's routes."""
    calls: list[SdkCall] = []

    def record(params: dict[str, Any], model: Any, **_: object) -> None:
        calls.append(SdkCall(model.service_model.service_name, xform_name(model.name), params))

    def push(connection_id: str, data: bytes) -> Pushed:
        calls.append(SdkCall(GATEWAY, "post_to_connection", {"ConnectionId": connection_id, "Data": data}))
        pushed: Pushed = push_unseen(connection_id, data)
        return pushed

    events, gateway = routes._sessions._table._client.meta.events, routes._delivery._gateway
    push_unseen = gateway.push
    events.register("provide-client-params", record)
    with mock.patch.object(gateway, "push", push):
        send()
    events.unregister("provide-client-params", record)
    return calls


class _Signed:
    """`@connections` as the functions ask it, by the name of the SDK's call."""

    def __init__(self, gateway: ApiGateway) -> None:
        self._gateway = gateway

    def post_to_connection(self, **push: Any) -> None:
        self._gateway.push(push["ConnectionId"], push["Data"])


def _replay(calls: Sequence[SdkCall], clients: dict[str, Any]) -> None:
    for call in calls:
        getattr(clients[call.service], call.method)(**call.arguments)


def _plain(value: Any) -> Any:
    """Attributes as the values they hold, as boto3's resources take them."""
    match value:
        case {"S": str(text), **others} if not others:
            return text
        case {"N": str(number), **others} if not others:
            return int(number)
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case _:
            return value


def _cpu(work: Callable[[], object]) -> float:
    """Milliseconds of CPU for one."""
    started = time.process_time()
    for _ in range(SENDS):
        work()
    return (time.process_time() - started) * 1_000 / SENDS


def _profile(work: Callable[[], object]) -> str:
    profiler = cProfile.Profile()
    with profiler:
        for _ in range(PROFILED):
            work()
    output = io.StringIO()
    pstats.Stats(profiler, stream=output).strip_dirs().sort_stats("tottime").print_stats(TOP)
    lines = output.getvalue().strip().splitlines()
    header = next(index for index, line in enumerate(lines) if "ncalls" in line)
    return "\n".join(lines[header:]).rstrip()
