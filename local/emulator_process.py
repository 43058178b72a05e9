"""The emulator's process, made to keep what the functions log.

On AWS a function's log goes to CloudWatch. MiniStack puts it there too, but not for functions that a WebSocket invokes:
it reads their output and drops it. Here each invocation's output is appended to the file in FUNCTION_LOG as well.
"""

from __future__ import annotations

import os
from typing import Any

from ministack.app import main
from ministack.core.lambda_runtime import Worker


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


if __name__ == "__main__":
    keep_logs(os.environ["FUNCTION_LOG"])
    main()
