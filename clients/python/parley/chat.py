"""The client on asyncio and `websockets`: drives a `Session` over real connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .data import Data
from .dialer import Dialer, NotOpened, Token, TokenPlace
from .effects import Answer, Close, Open, Write
from .errors import Closed, ParleyError, Unreachable
from .events import Conversation, Event, HistoryPage, PresenceChange, Sent
from .frames import DEFAULT_BACKLOG
from .session import Session
from .state import State
from .timers import Timing


class Chat:
    """One user's conversations, over whatever connections it takes.

    Enter it with `async with`, and read its events with `async for`.
    """

    def __init__(self, session: Session, dialer: Dialer, timing: Timing, timeout: float | None) -> None:
        self._session = session
        self._dialer = dialer
        self._timing = timing
        self._timeout = timeout
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._queues: dict[int, asyncio.Queue[str | None]] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._is_closed = False

    @classmethod
    def connect(
        cls,
        url: str,
        token: Token = None,
        *,
        token_in: TokenPlace = "query",  # noqa: S107
        state: Mapping[str, Any] | None = None,
        backlog: int = DEFAULT_BACKLOG,
        send_delivered: bool = True,
        timeout: float | None = 10,
        timing: Timing | None = None,
    ) -> Chat:
        """A chat, to be entered with `async with`.

        `token`: a string, or a function that fetches one; None if the deployment believes `?userId=` in the url.
        `token_in`: where the deployment reads it (`query`, `header` or `subprotocol`).
        `state`: what an earlier `chat.state` returned.
        `backlog`: how many of the latest messages of each conversation are told without a state, at most 100. With 0
        none are; `chats` has a preview of each, and `history` the rest.
        `send_delivered`: whether a `delivered` receipt is sent for what arrives.
        `timeout`: for how many seconds entering tries to connect before it raises Unreachable; and then, how long it
        waits for each next conversation or page of what was missed, all of which takes as long as it takes. With None
        it does not wait, and the chat starts offline.

        Raises BadUrl, or ValueError for a state that is damaged or another version's.
        """
        timing = timing or Timing()
        session = Session(
            state=state,
            backlog=backlog,
            send_delivered=send_delivered,
            can_renew_token=callable(token),
            timing=timing,
        )
        return cls(session, Dialer(url, token, token_in), timing, timeout)

    # What an application uses

    @property
    def user(self) -> str | None:
        """Who the token speaks for; None before the first connection."""
        return self._session.user

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    @property
    def chats(self) -> list[Conversation]:
        """The chat list, newest first."""
        return self._session.conversations

    def chat_with(self, peer: str) -> Conversation | None:
        """The peer's line of the chat list; None if there is none."""
        return self._session.conversation(peer)

    @property
    def unread(self) -> int:
        """How many messages are unread, in all chats together."""
        return self._session.unread

    @property
    def blocked(self) -> list[str]:
        """Whom this user has blocked."""
        return self._session.blocked

    @property
    def state(self) -> State:
        """What the next `connect` needs to go on behind the last event that was read. It holds unsent texts."""
        return self._session.state

    async def send(self, to: str, text: str = "", *, data: Data | None = None, id: str | None = None) -> Sent:
        """Sends a message and waits until it is stored, over reconnects too.

        `data` goes beside the text, or instead of it: a dict of at most 2 KiB of JSON, without fractions.

        A wait that is cancelled leaves the message in the queue. Raises Refused if the server does not take it,
        ValueError if it could not.
        """
        self._check_open()
        answer = self._answer(self._session.post(to, text, id, data))
        sent: Sent = await answer
        return sent

    def post(self, to: str, text: str = "", *, data: Data | None = None, id: str | None = None) -> str:
        """Queues a message, online or not, and returns its id; a Sent or Failed event with that id follows."""
        self._check_open()
        id = self._session.post(to, text, id, data)
        self._carry_out()
        return id

    def read(self, peer: str, seq: int | None = None) -> None:
        """Marks the conversation read, up to `seq` or up to the last message that was read from this chat.

        Raises ValueError if there is no such message.
        """
        self._check_open()
        self._session.read(peer, seq)
        self._carry_out()

    def typing(self, to: str, composing: bool = True) -> None:
        """Says that the user is composing, or no longer is. Call it at every key: it sends as often as is allowed."""
        self._check_open()
        self._session.typing(to, composing)
        self._carry_out()

    async def history(self, peer: str, *, before: int | None = None, limit: int = DEFAULT_BACKLOG) -> HistoryPage:
        """Older messages: the latest before `before`, or the latest of all. At most 100."""
        self._check_open()
        page: HistoryPage = await self._ask(self._session.ask_history(peer, before, limit))
        return page

    async def presence(self, *users: str) -> tuple[PresenceChange, ...]:
        """Who of the users, at most 100, is online now."""
        self._check_open()
        presences: tuple[PresenceChange, ...] = await self._ask(self._session.ask_presence(users))
        return presences

    def watch(self, users: Iterable[str] | None = None) -> None:
        """Says which chats are in sight: `PresenceChange` tells of each of their users, again after each `Connected`.

        Call it whenever others come into sight: who was asked for on this connection already costs nothing. A chat far
        down the list has a `last_text` only then.
        Without `users`, those of the latest 10 chats are. What was known of others ends with the connection.
        """
        self._check_open()
        self._session.watch(users)
        self._carry_out()

    async def block(self, user: str) -> None:
        """Blocks a user, and waits until that is done: nothing that it does from then on reaches this user.

        What it writes stays hidden when it is unblocked. It is not told. Raises ValueError for the user itself.
        """
        self._check_open()
        await self._ask(self._session.ask_block(user, True))

    async def unblock(self, user: str) -> None:
        """Unblocks a user."""
        self._check_open()
        await self._ask(self._session.ask_block(user, False))

    async def unsend(self, peer: str, seq: int) -> None:
        """Takes a message of the user's back, and waits until that is done: its text is gone, its number stays.

        Every device of both sides is told by an `Unsent`, this one too. Raises Refused if the user has no such message.
        """
        self._check_open()
        await self._ask(self._session.ask_unsend(peer, seq))

    def __aiter__(self) -> Chat:
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises the error that ended the chat for good; ends when the chat is closed."""
        while True:
            event = self._session.next_event()
            if event is not None:
                self._carry_out()
                return event
            if self._session.failure:
                raise self._session.failure
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    async def __aenter__(self) -> Chat:
        self._session.start()
        self._carry_out()
        try:
            if self._timeout is not None:
                await self._first_connection(self._timeout)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def reconnect(self) -> None:
        """Connects at once, if it waits before the next attempt: for when a user asks for it."""
        self._session.wake()
        self._carry_out()

    async def close(self) -> None:
        """Closes the connections. `state` stays readable."""
        if self._is_closed:
            return
        self._is_closed = True
        self._session.stop()
        self._carry_out()
        for number, task in self._tasks.items():
            if number not in self._queues:
                task.cancel()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=self._timing.close)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # How it is driven

    async def _first_connection(self, timeout: float) -> None:
        session, loop = self._session, asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout) as limit:
                progress = session.progress
                while not session.is_ready and not session.failure:
                    self._news.clear()
                    await self._news.wait()
                    if session.progress > progress:
                        progress = session.progress
                        limit.reschedule(loop.time() + timeout)
        if session.failure:
            raise session.failure
        if session.is_connected and not session.is_ready:
            raise Unreachable(f"There is a connection, but {session.waits_for} did not arrive within {timeout:g} s.")
        if not session.is_ready:
            raise _unreachable(session.last_reason)

    def _check_open(self) -> None:
        if self._session.failure:
            raise self._session.failure
        if self._is_closed:
            raise Closed("This chat is closed. Connect again, with its state.")

    def _answer(self, id: str) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[id] = future
        self._carry_out()
        return future

    async def _ask(self, id: str) -> Any:
        try:
            return await self._answer(id)
        finally:
            self._answers.pop(id, None)
            self._session.forget_question(id)

    def _carry_out(self) -> None:
        """Carries out the session's effects. Called after everything that is reported to it or asked of it."""
        session = self._session
        while session.effects:
            match session.effects.popleft():
                case Open(number):
                    self._tasks[number] = asyncio.create_task(self._run(number))
                case Write(number, text):
                    self._queues[number].put_nowait(text)
                case Close(number):
                    self._queues[number].put_nowait(None)
                case Answer(id, value):
                    self._resolve(id, value)
        if self._is_closed or session.failure:
            self._give_up(session.failure or Closed("The chat was closed. Unsent messages are in its state."))
        self._arm()
        self._news.set()

    def _resolve(self, id: str, value: object) -> None:
        future = self._answers.pop(id, None)
        if future is None or future.done():
            return
        if isinstance(value, ParleyError):
            future.set_exception(value)
        else:
            future.set_result(value)

    def _give_up(self, error: ParleyError) -> None:
        for id in list(self._answers):
            self._resolve(id, error)

    def _arm(self) -> None:
        deadline = self._session.deadline
        if deadline == self._deadline:
            return
        if self._timer:
            self._timer.cancel()
        self._timer, self._deadline = None, deadline
        if deadline is not None:
            delay = max(0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._deadline = None
        self._session.tick()
        self._carry_out()

    async def _run(self, number: int) -> None:
        """The life of one connection."""
        try:
            socket = await self._open(number)
            if socket:
                await self._serve(number, socket)
        finally:
            self._tasks.pop(number, None)
            self._queues.pop(number, None)

    async def _open(self, number: int) -> ClientConnection | None:
        try:
            async with asyncio.timeout(self._timing.open):
                return await self._dialer.open()
        except NotOpened as error:
            self._not_opened(number, error)
        except TimeoutError:
            self._session.failed(number, "no answer in time")
        except ParleyError as error:
            self._session.fail(error)
        self._carry_out()
        return None

    def _not_opened(self, number: int, error: NotOpened) -> None:
        if error.is_refused:
            self._session.refused(number, error.reason)
        elif error.is_hopeless and self._timeout is not None and not self._session.is_ready:
            self._session.fail(_unreachable(error.reason))
        else:
            self._session.failed(number, error.reason)

    async def _serve(self, number: int, socket: ClientConnection) -> None:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._queues[number] = queue
        self._session.opened(number)
        self._carry_out()
        writer = asyncio.create_task(_write(socket, queue))
        try:
            async for frame in socket:
                if isinstance(frame, str):
                    self._session.received(number, frame)
                    self._carry_out()
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await socket.close()
            self._session.closed(number, _close_reason(socket))
            self._carry_out()


def _unreachable(reason: str) -> Unreachable:
    return Unreachable(
        f"No connection could be made: {reason}. Check the address and the token, and that the server is running."
    )


def _close_reason(socket: ClientConnection) -> str:
    code = socket.close_code
    return "the connection broke" if code in (None, 1006) else f"the connection was closed ({code})"


async def _write(socket: ClientConnection, queue: asyncio.Queue[str | None]) -> None:
    """Sends what is queued, in order; None closes the connection."""
    with suppress(ConnectionClosed):
        while (text := await queue.get()) is not None:
            await socket.send(text)
    await socket.close()
