"""A server on loopback that plays alice's peers: it keeps conversations, and does what the test tells it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

USER = "alice"
MORNING = 1_772_442_000_000  # 2 March 2026, 9:00 UTC

Fields = dict[str, Any]

UNREAD: Fields = {"read": 0, "peer_read": 0, "peer_delivered": 0}


class Server:
    """As much of the server as a client of one user sees."""

    def __init__(self) -> None:
        self.url = ""
        self.user = USER
        self.logs: dict[str, list[Fields]] = defaultdict(list)
        self.marks: dict[str, Fields] = defaultdict(lambda: dict(UNREAD))
        self.online: set[str] = set()
        self.blocked: set[str] = set()
        self.frames: list[Fields] = []
        self.refuses_connections: int | None = None
        self.refuses_sends = False
        self.delivered = 0
        self.withholds_acks = False
        self.withholds_history = False
        self.history_reply: Fields | None = None
        self._connections: set[ServerConnection] = set()

    async def process_request(self, connection: ServerConnection, _: Request) -> Response | None:
        return connection.respond(self.refuses_connections, "") if self.refuses_connections else None

    async def handle(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        try:
            async for text in connection:
                frame = json.loads(text)
                self.frames.append(frame)
                reply = getattr(self, f"_on_{frame['action']}")(frame)
                if reply:
                    await connection.send(json.dumps({"id": frame["id"]} | reply))
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)

    def sent(self, action: str) -> list[Fields]:
        return [frame for frame in self.frames if frame["action"] == action]

    def store(self, sender: str, to: str, text: str) -> Fields:
        """Appends a message, without telling anyone."""
        log = self.logs[to if sender == self.user else sender]
        seq = len(log) + 1
        log.append(
            {"from": sender, "to": to, "seq": seq, "id": f"{sender}-{seq}", "text": text, "ts": MORNING + seq * 60_000}
        )
        return log[-1]

    def say(self, sender: str, text: str) -> None:
        self.push({"type": "message"} | self.store(sender, self.user, text))

    def mark(self, peer: str, kind: str, seq: int) -> None:
        """The peer has got or read alice's messages up to `seq`."""
        self.marks[peer][f"peer_{kind}"] = seq
        self.push({"type": "receipt", "from": peer, "peer": self.user, "kind": kind, "seq": seq, "ts": MORNING})

    def compose(self, peer: str, state: str) -> None:
        self.push({"type": "typing", "from": peer, "state": state})

    def push(self, frame: Fields) -> None:
        broadcast(self._connections, json.dumps(frame))

    def drop(self) -> None:
        for connection in self._connections:
            connection.transport.abort()

    def _on_sync(self, _: Fields) -> Fields:
        chats = [
            {"peer": peer, "seq": len(log), "ts": log[-1]["ts"], "last": log[-1]} | self.marks[peer]
            for peer, log in self.logs.items()
            if log
        ]
        for peer in self.blocked:
            listed = [chat for chat in chats if chat["peer"] == peer] or [{"peer": peer, "seq": 0, "ts": 0, **UNREAD}]
            listed[0]["blocked"] = True
            chats += [chat for chat in listed if chat not in chats]
        times = {"server_time": MORNING, "heartbeat_ms": 270_000, "max_text_bytes": 8192}
        return {"type": "sync", "user": self.user, "chats": chats, **times}

    def _on_history(self, frame: Fields) -> Fields | None:
        if self.withholds_history:
            return None
        if self.history_reply:
            return self.history_reply
        after, before = frame.get("after", 0), frame.get("before", 1 << 40)
        found = [message for message in self.logs[frame["peer"]] if after < message["seq"] < before]
        page = found[: frame["limit"]] if "after" in frame else found[-frame["limit"] :]
        return {"type": "history", "peer": frame["peer"], "messages": page, "more": len(page) < len(found)}

    def _on_send(self, frame: Fields) -> Fields | None:
        if self.refuses_sends:
            return {"type": "error", "code": "forbidden", "message": "no \x1b[31mthem"}
        stored = self.store(self.user, frame["to"], frame["text"])
        stored["id"] = frame["id"]
        if self.withholds_acks:
            return None
        ack = {name: stored[name] for name in ("to", "seq", "ts")}
        return {"type": "ack", "duplicate": False, "delivered": self.delivered, **ack}

    def _on_receipt(self, frame: Fields) -> Fields:
        if frame["kind"] == "read":
            self.marks[frame["peer"]]["read"] = frame["seq"]
        return {"type": "ack"} | {name: frame[name] for name in ("peer", "kind", "seq")}

    def _on_presence(self, frame: Fields) -> Fields:
        users = [{"user": user, "online": user in self.online, "last_seen": None, "rev": 1} for user in frame["users"]]
        return {"type": "presence", "users": users}

    def _on_block(self, frame: Fields) -> Fields:
        self.blocked.add(frame["user"])
        return {"type": "block", "user": frame["user"], "blocked": True}

    def _on_unblock(self, frame: Fields) -> Fields:
        self.blocked.discard(frame["user"])
        return {"type": "block", "user": frame["user"], "blocked": False}

    def _on_unsend(self, frame: Fields) -> Fields:
        peer, unsends = frame["peer"], frame["seq"]
        self.logs[peer][unsends - 1] |= {"text": "", "unsent": MORNING}
        stored = self.store(self.user, peer, "")
        stored |= {"id": f"unsend {unsends}", "unsends": unsends}
        return {"type": "ack", "duplicate": False} | {name: stored[name] for name in ("to", "seq", "ts", "unsends")}

    def _on_typing(self, _: Fields) -> None:
        return None


@asynccontextmanager
async def serving(server: Server, port: int = 0) -> AsyncIterator[int]:
    """Serves on loopback, and yields the port."""
    async with serve(
        server.handle, "127.0.0.1", port, process_request=server.process_request, close_timeout=1, ping_interval=None
    ) as listener:
        port = listener.sockets[0].getsockname()[1]
        server.url = f"ws://127.0.0.1:{port}/dev"
        yield port
