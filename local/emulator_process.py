"""The emulator's process, made to let in nobody else, keep what the functions log, and end when it should.

What may reach it is in gate.py. The functions' keys are this run's own too: MiniStack computes them from the functions'
names, which anybody can compute as well.

On AWS a function's log goes to CloudWatch. MiniStack puts it there too, but not for functions that a WebSocket invokes:
it reads their output and drops it. Here each line of it is appended to the file in FUNCTION_LOG as well.

It ends, with the workers that run the functions, when its standard input does, so that it does not outlive the process
that started it, even one that was killed. Told to stop, MiniStack ends its connections, saves what it has to keep, and
then waits for threads that have nothing more to do, for 20 seconds and longer; here it ends once it has saved.
"""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.lambda_runtime import Worker

from local.emulator import ANONYMOUS_READS, PROCESS_PAGE
from local.gate import App, Gate
from local.private import UMASK

UNSUPPORTED_DATA = 1003
"""Of a WebSocket that is closed because of a binary frame (RFC 6455, section 7.4.1)."""


def keep_logs(path: str) -> None:
    """Appends each line that a function writes from now on to the file, when it is written.

    MiniStack gives up waiting for an invocation's last lines after some milliseconds, and counts them to the next one.
    """

    def read_and_keep(self: Worker) -> None:
        with open(path, "a", encoding="utf-8", buffering=1) as file, suppress(OSError, ValueError):
            for line in self._proc.stderr:
                file.write(line)
                self._stderr_queue.put(line.rstrip("\n"))

    Worker._read_stderr = read_and_keep


def keep_calls(path: str) -> None:
    """Appends each call that IAM allows a function's role, when it is made for the first time."""
    evaluate, seen, lock = iam_evaluator.evaluate, set[str](), Lock()

    def evaluate_and_keep(call: Any, *arguments: Any, **options: Any) -> Any:
        result = evaluate(call, *arguments, **options)
        line = f"{call.principal_arn} {call.action} {call.resource_arn}\n"
        with lock:
            if ":assumed-role/" in line and result.decision == "Allow" and line not in seen:
                seen.add(line)
                with open(path, "a", encoding="utf-8") as file:
                    file.write(line)
        return result

    iam_evaluator.evaluate = evaluate_and_keep


def close_gate(keys: set[str]) -> None:
    """Lets in whom the gate lets in; the emulator's port, and the origins of our pages, are in the environment."""
    emulator = app.app

    async def answer_or_say(scope: Any, receive: Any, send: Any) -> None:
        """Serves the id of this process, so that the process that started it knows that the port is its own."""
        if scope.get("path") != PROCESS_PAGE:
            await emulator(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

    app.app = Gate(
        end_at_binary_frames(answer_or_say),
        port=int(os.environ["GATEWAY_PORT"]),
        keys=keys,
        pages=Path(os.environ["PAGES"]),
        anonymous_reads=ANONYMOUS_READS in os.environ,
    )


def end_at_binary_frames(inner: App) -> App:
    """Ends a connection at a binary frame, as API Gateway does; MiniStack would read it as text."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        async def receive_text() -> Any:
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is not None:
                await send({"type": "websocket.close", "code": UNSUPPORTED_DATA})
                return {"type": "websocket.disconnect", "code": UNSUPPORTED_DATA}
            return message

        await inner(scope, receive_text if scope["type"] == "websocket" else receive, send)

    return serve


def give_functions_keys_of_their_own(keys: set[str], secret: str) -> None:
    """Makes the keys of the functions' roles depend on the secret, and adds their ids to `keys`."""
    predictable = lambda_runtime.execution_credentials  # what imports it by name is loaded later
    lock = Lock()

    def own(text: str) -> str:
        return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()

    def unpredictable(config: dict[str, Any]) -> dict[str, str]:
        with lock:
            known = predictable(config)
            from ministack.services import sts  # noqa: PLC0415 - MiniStack loads its services, and their state, when asked

            session = sts._sessions.pop(known["AWS_ACCESS_KEY_ID"])
            credentials = {name: own(value) for name, value in known.items()}
            key = "ASIA" + credentials["AWS_ACCESS_KEY_ID"].upper()
            session["SecretAccessKey"] = credentials["AWS_SECRET_ACCESS_KEY"]
            session["SessionToken"] = credentials["AWS_SESSION_TOKEN"]
            sts.register_session(key, session)
            keys.add(key)
            return credentials | {"AWS_ACCESS_KEY_ID": key}

    lambda_runtime.execution_credentials = unpredictable


def refuse_sums_of_what_is_no_number() -> None:
    """Makes an update that adds to an attribute of another type an error, as on DynamoDB. MiniStack leaves it so."""
    from ministack.services import dynamodb  # noqa: PLC0415 - once the environment is as its services are to find it

    evaluate = dynamodb._eval_set_value

    def evaluate_strictly(tokens: Any, *arguments: Any) -> Any:
        result = evaluate(tokens, *arguments)
        if any(kind == "PLUS" for kind, *_ in tokens or ()) and "N" not in (result or {}):
            raise ValueError("An operand in the update expression has an incorrect data type")
        return result

    dynamodb._eval_set_value = evaluate_strictly


def hold(state: Path) -> IO[str]:
    """Waits for another process that is still saving there, and keeps others out until the returned file is closed."""
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Another emulator still holds {state}; waiting for its end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def end_when_saved() -> None:
    """Makes the saving of the state, which is the last thing of all, the process's end."""
    save_all = app.save_all

    def save_and_end(services: dict[str, Any]) -> None:
        save_all(services)
        end()

    app.save_all = save_and_end


def end_open_connections() -> None:
    """Makes the server, once it was told to stop, give open connections their time and no more.

    Before that it waits until it is closed. Up to Python 3.11 that was at once; since 3.12 it is when the last client
    is gone, and a page stays.
    """

    async def closed(_server: asyncio.Server) -> None:
        """It takes in nobody any more; who is connected is dealt with next."""

    asyncio.Server.wait_closed = closed  # type: ignore[method-assign, assignment]


def end_with_input(*, saves: bool) -> None:
    """Ends this process when its standard input does."""

    def wait() -> None:
        sys.stdin.buffer.read()
        if saves:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            end()

    Thread(target=wait, daemon=True).start()


def end() -> None:
    """Ends the process, and the functions' workers, which are in its group."""
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    os.umask(UMASK)
    keep_logs(os.environ["FUNCTION_LOG"])
    keep_calls(os.environ["CALLS"])
    keys = {os.environ["AWS_ACCESS_KEY_ID"]}
    give_functions_keys_of_their_own(keys, os.environ["AWS_SECRET_ACCESS_KEY"])
    close_gate(keys)
    end_open_connections()
    end_when_saved()
    refuse_sums_of_what_is_no_number()
    state = os.environ.get("STATE_DIR")
    end_with_input(saves=state is not None)
    lock = hold(Path(state)) if state else None  # noqa: F841 - it is held by being open
    app.main()


if __name__ == "__main__":
    main()
