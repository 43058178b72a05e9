"""DynamoDB and `@connections` as a process that answers at once, so that what is measured is the side that asks.

`alice` has one connection, the caller's; `bob` has one; every conversation has eight messages, from both;
every write succeeds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import PROJECT

HOST = "127.0.0.1"
YEAR_SECONDS = 31_536_000
STOP_SECONDS = 5


@contextmanager
def stub(*, push_ms: int = 0, table_ms: int = 0, certificate: Path | None = None) -> Iterator[str]:
    """Runs the stub and gives its URL. `certificate` holds its key too, and makes it speak TLS."""
    options = [
        "--push-ms",
        str(push_ms),
        "--table-ms",
        str(table_ms),
        *(["--certificate", str(certificate)] if certificate else []),
    ]
    command = [sys.executable, "-m", "bench.stub", *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield f"{'https' if certificate else 'http'}://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


class Conversation(asyncio.Protocol):
    """One HTTP/1.1 connection that is kept alive."""

    def __init__(self, push_seconds: float, table_seconds: float) -> None:
        self._push_seconds = push_seconds
        self._table_seconds = table_seconds
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(rest) < int(headers.get("content-length", 0)):
            return
        self._received = b""
        if "/@connections/" in request_line:
            self._answer_after(self._push_seconds, b"")
        else:
            operation = headers["x-amz-target"].partition(".")[2]
            self._answer_after(self._table_seconds, json.dumps(answer(operation, json.loads(rest))).encode())

    def _answer_after(self, seconds: float, body: bytes) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._answer, body)
        else:
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nx-amzn-RequestId: {'R' * 52}\r\n"
        if body:
            head += f"Content-Type: application/x-amz-json-1.0\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
        self._transport.write(head.encode() + b"\r\n" + body)


def answer(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """What DynamoDB would answer."""
    match operation:
        case "Query" if "IndexName" in request:  # the baseline's connections of a user
            (user,) = request["ExpressionAttributeValues"].values()
            items = [{"connectionId": {"S": f"{user['S']}-1"}, "userId": user}]
            return {"Items": items, "Count": 1, "ScannedCount": 1}
        case "Query":
            items = [_message(seq) for seq in range(8, 0, -1)]
            return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        case "GetItem":  # the baseline's caller
            return {"Item": {**request["Key"], "userId": {"S": "alice"}}}
        case "BatchGetItem":
            ((name, keys),) = request["RequestItems"].items()
            return {"Responses": {name: [_sessions(key) for key in keys["Keys"]]}, "UnprocessedKeys": {}}
        case "UpdateItem":
            wrote = {"wrote": {"N": "8"}, "peer_wrote": {"N": "7"}}
            return {"Attributes": {**request["Key"], "seq": {"N": "8"}, "ts": _now(), "changed": _now(), **wrote}}
        case _:
            return {}


def _now(later_seconds: int = 0) -> dict[str, str]:
    return {"N": str(int((time.time() + later_seconds) * 1_000))}


def _message(seq: int) -> dict[str, Any]:
    ttl = {"N": str(int(time.time()) + YEAR_SECONDS)}
    text = {"S": "a message of an ordinary length, as people write them"}
    key = {"pk": {"S": "CHAT#alice#bob"}, "sk": {"S": f"MSG#{seq:012d}"}}
    return {**key, "from": {"S": "bob"}, "id": {"S": f"{seq:032d}"}, "text": text, "ts": _now(), "ttl": ttl}


def _sessions(key: dict[str, Any]) -> dict[str, Any]:
    user = key["pk"]["S"].removeprefix("USER#")
    # A chat's attributes too: whoever is asked for, all have written to each other.
    wrote = {"wrote": {"N": "8"}, "peer_wrote": {"N": "7"}}
    return {**key, **wrote, f"@{user}-1": _now(-90), "last_seen": _now(), "rev": {"N": "7"}}


async def serve(push_seconds: float, table_seconds: float, certificate: Path | None) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(push_seconds, table_seconds), HOST, 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--push-ms", type=int, default=0)
    parser.add_argument("--table-ms", type=int, default=0)
    parser.add_argument("--certificate", type=Path)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.push_ms / 1_000, arguments.table_ms / 1_000, arguments.certificate))
