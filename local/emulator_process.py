"""The emulator's process, made to keep what the functions log, say which process it is, and end when it should.

On AWS a function's log goes to CloudWatch. MiniStack puts it there too, but not for functions that a WebSocket invokes:
it reads their output and drops it. Here each invocation's output is appended to the file in FUNCTION_LOG as well.

It ends, with the workers that run the functions, when its standard input does: so it does not outlive whoever started
it, even one that was killed. Told to stop, MiniStack ends its connections, saves what it has to keep, and then waits
for threads that have nothing to do any more, for 20 seconds and longer; here the saving is the end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import IO, Any

from ministack import app
from ministack.core.lambda_runtime import Worker

from local.emulator import PROCESS_PAGE


def keep_logs(path: str) -> None:
    """Appends the output of every invocation from now on to the file."""
    invoke = Worker.invoke

    def invoke_and_keep(self: Worker, *arguments: Any, **options: Any) -> Any:
        result = invoke(self, *arguments, **options)
        if log := result.get("log"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(log.rstrip("\n") + "\n")
        return result

    Worker.invoke = invoke_and_keep


def say_who_answers() -> None:
    """Adds a page with the id of this process, so that whoever started it knows that the port became its own."""
    answer = app.app

    async def answer_or_say(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != PROCESS_PAGE:
            await answer(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

    app.app = answer_or_say


def hold(state: Path) -> IO[str]:
    """Waits for whoever still saves there, and keeps others waiting for as long as what it returns is open."""
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
    keep_logs(os.environ["FUNCTION_LOG"])
    say_who_answers()
    end_when_saved()
    state = os.environ.get("STATE_DIR")
    end_with_input(saves=state is not None)
    lock = hold(Path(state)) if state else None  # noqa: F841 - it is held by being open
    app.main()


if __name__ == "__main__":
    main()
