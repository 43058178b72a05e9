"""A terminal, as far as the client can tell: a pseudo terminal on which the client runs as a process of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.emulator import PROJECT
from tests.asynchronous import until
from tests.hang import HANG_SECONDS

ROWS, COLUMNS = 24, 90


class Device:
    """A terminal with the client on it."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self._descriptor = descriptor
        self.process = process
        self.output = ""

    def read(self) -> None:
        try:
            self.output += os.read(self._descriptor, 1 << 16).decode(errors="replace")
        except OSError:  # the process has ended
            asyncio.get_running_loop().remove_reader(self._descriptor)

    async def shows(self, text: str) -> None:
        try:
            await until(lambda: text in self.output)
        except TimeoutError:
            raise AssertionError(f"{text!r} not in {self.output[-2000:]!r}") from None

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    async def ends(self) -> int:
        async with asyncio.timeout(HANG_SECONDS):
            code = await self.process.wait()
        await asyncio.sleep(0)
        self.read()
        return code


@asynccontextmanager
async def device(*arguments: str, stderr: int | None = None, **variables: str) -> AsyncIterator[Device]:
    """Runs the client with these arguments and variables on a terminal; its standard error may be elsewhere."""
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients.terminal", *arguments),
        cwd=PROJECT,
        env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **variables},
        stdin=other,
        stdout=other,
        stderr=other if stderr is None else stderr,
        start_new_session=True,
    )
    os.close(other)
    running = Device(own, process)
    asyncio.get_running_loop().add_reader(own, running.read)
    try:
        yield running
    finally:
        asyncio.get_running_loop().remove_reader(own)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(own)
