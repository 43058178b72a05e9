"""The emulator's process, made to keep what the functions log, say which process it is, and end once it has saved.

On AWS a function's log goes to CloudWatch. MiniStack puts it there too, but not for functions that a WebSocket invokes:
it reads their output and drops it. Here each invocation's output is appended to the file in FUNCTION_LOG as well.

Told to stop, MiniStack ends its connections, saves, and then waits for threads that have nothing to do any more, for
20 seconds and longer.
"""

from __future__ import annotations

import os
from typing import Any

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


def end_when_saved() -> None:
    """Makes the saving of the state, which is the last thing of all, the process's end."""
    save_all = app.save_all

    def save_and_end(services: dict[str, Any]) -> None:
        save_all(services)
        os._exit(0)

    app.save_all = save_and_end


if __name__ == "__main__":
    keep_logs(os.environ["FUNCTION_LOG"])
    say_who_answers()
    end_when_saved()
    app.main()
