"""Runs actors in every order of their steps. The package says how."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, TypeVar, cast

from chat.table import Updated
from tests.schedules.world import START, World

T = TypeVar("T")

MINUTES_MS = 300_000
"""Longer than the overlap of a heartbeat."""


@dataclass(frozen=True)
class Outcome:
    """What an actor gets of a step: a value, or an error that is raised."""

    value: object = None
    error: BaseException | None = None

    def identity(self) -> Hashable:
        return _frozen(self.value), self.error and repr(self.error)


def _frozen(value: object) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


Way = Callable[[World], Outcome]
"""Makes a step, which may change the world."""


@dataclass(frozen=True)
class Step:
    """One thing that an actor does to the world, in one of several ways, or in a way that counts as a fault."""

    name: str
    ways: Mapping[str, Way]
    faults: Mapping[str, Way] = field(default_factory=dict)
    private: bool = False
    """Whether no other actor can tell when it is made; then it is made at once, and not at every other time, too."""


@dataclass(frozen=True)
class Pause:
    """Ends once all actors pause or have ended, some time later.

    After the last one, actors go on one after another, in the scenario's order, and nothing fails any more.
    """

    ms: int
    last: bool


class _Waiting(BaseException):
    """The actor has come to a step that was not made yet."""

    def __init__(self, step: Step | Pause) -> None:
        super().__init__()
        self.step = step


class _Done(BaseException):
    """The actor has done something as a whole; the steps of it need not be played again."""

    def __init__(self, outcomes: tuple[Outcome, ...]) -> None:
        super().__init__()
        self.outcomes = outcomes


@dataclass(frozen=True)
class _Whole(Outcome):
    """What all steps of something came to. `depth` is in how many other things it was done."""

    depth: int = 0


class Player:
    """One actor's access to the world: a step has the outcome it had before, or ends the play if it had none yet."""

    def __init__(self, outcomes: tuple[Outcome, ...], *, of: Player | None = None) -> None:
        self._outcomes = outcomes
        self._place = 0
        self._depth = 0
        self._of = of
        """Whose call side by side with others this plays; None for the actor itself."""
        self._now: int = START if of is None else of.now()
        self._call: Player | None = None
        """The call whose steps are made now."""

    def now(self) -> int:
        return self._now

    def pause(self, ms: int = MINUTES_MS, *, last: bool = False) -> None:
        self._now = self._outcome_of(Pause(ms, last))

    def step(self, step: Step) -> Any:
        return self._call.step(step) if self._call else self._outcome_of(step)

    def side_by_side(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Makes all of the calls, their steps in every order, and returns their results; then raises the first error.

        Each call is played again from its start with the outcomes that its own steps have had, as an actor is.
        """
        if self._call:
            return self._call.side_by_side(calls)
        return self.whole(partial(self._interleaved, calls))

    def _interleaved(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        outcomes: list[tuple[Outcome, ...]] = [()] * len(calls)
        results: dict[int, Outcome] = {}
        waiting: dict[int, Step] = {}

        def play(place: int) -> None:
            waiting.pop(place, None)
            self._call = Player(outcomes[place], of=self)
            try:
                results[place] = Outcome(calls[place]())
            except _Waiting as waiting_at:
                waiting[place] = cast("Step", waiting_at.step)
            except Exception as error:
                results[place] = Outcome(error=error)
            finally:
                self._call = None

        for place in range(len(calls)):
            play(place)
        while waiting:
            place = self._next_of(waiting)
            outcomes[place] = (*outcomes[place], self._outcome_in(waiting[place]))
            play(place)
        made = [results[place] for place in range(len(calls))]
        for one in made:
            if one.error is not None:
                raise one.error
        return [cast("T", one.value) for one in made]

    def _next_of(self, waiting: Mapping[int, Step]) -> int:
        """Which call goes on."""
        private = [place for place, step in waiting.items() if step.private]
        if private or len(waiting) == 1:
            return next(iter(private or waiting))
        ways = {f"call {place + 1}, {step.name}": partial(_goes_on, place) for place, step in waiting.items()}
        place: int = self.step(Step("goes on", ways, private=True))
        return place

    def _outcome_in(self, step: Step) -> Outcome:
        """What the step comes to, as a call finds it. An invocation that dies, dies in all of its calls."""
        try:
            return Outcome(self.step(step))
        except Exception as error:
            return Outcome(error=error)

    def whole(self, do: Callable[[], T]) -> T:
        """Does something whose steps leave nothing behind in the actor but its result, or the error that it raises.

        So actors that came to the same result by other ways are the same from there on.
        """
        if self._of or self._call:
            return do()  # the calls side by side are a whole already
        start, depth = self._place, self._depth
        if not self._is_done(depth):
            self._depth += 1
            try:
                whole = _Whole(do(), depth=depth)
            except (_Waiting, _Done):
                raise
            except BaseException as error:  # an actor may die
                whole = _Whole(error=error, depth=depth)
            raise _Done((*self._outcomes[:start], whole))
        result: T = self._next()
        return result

    def _is_done(self, depth: int) -> bool:
        outcome = self._outcomes[self._place] if self._place < len(self._outcomes) else None
        return isinstance(outcome, _Whole) and outcome.depth == depth

    def _outcome_of(self, step: Step | Pause) -> Any:
        if self._place == len(self._outcomes):
            raise _Waiting(step)
        return self._next()

    def _next(self) -> Any:
        outcome = self._outcomes[self._place]
        self._place += 1
        if outcome.error is not None:
            raise outcome.error.with_traceback(None)
        return outcome.value


def _goes_on(place: int, _: World) -> Outcome:
    return Outcome(place)


Actor = Callable[[Player], None]


class _Part:
    """How far an actor has come: the outcomes it has had, and the step that comes next; None if it has ended."""

    def __init__(
        self, actor: Actor, outcomes: tuple[Outcome, ...] = (), known: dict[Hashable, _Part] | None = None
    ) -> None:
        self._actor = actor
        self._known: dict[Hashable, _Part] = {} if known is None else known
        """Every part of this actor, by its outcomes."""
        self._later: dict[Hashable, _Part] = {}
        self.next: Step | Pause | None = None
        while True:
            self._outcomes = outcomes
            try:
                actor(Player(outcomes))
            except _Done as done:
                outcomes = done.outcomes
                continue
            except _Waiting as waiting:
                self.next = waiting.step
            break

    def after(self, outcome: Outcome) -> _Part:
        identity = outcome.identity()
        if identity not in self._later:
            part = _Part(self._actor, (*self._outcomes, outcome), self._known)
            self._later[identity] = self._known.setdefault(tuple(one.identity() for one in part._outcomes), part)
        return self._later[identity]


_Parts = Mapping[str, _Part]


@dataclass(frozen=True)
class Scenario:
    """Actors by name, the world they find, and what must hold at the end.

    `unreliable` names the actors whose steps may fail.
    """

    actors: Mapping[str, Actor]
    world: World
    check: Callable[[World], None]
    unreliable: Collection[str] = ()


@dataclass(frozen=True)
class Explored:
    schedules: int
    states: int


class ScheduleFailed(AssertionError):
    """A schedule in which something went wrong, as it ran."""

    def __init__(self, reason: str, schedule: Sequence[str]) -> None:
        super().__init__("\n".join([reason, *(f"{place:3}  {line}" for place, line in enumerate(schedule, 1))]))


@dataclass(frozen=True)
class _Move:
    """One way that a schedule can go on."""

    line: str
    way: Way
    movers: Collection[str]


def explore(scenario: Scenario) -> Explored:
    """Runs every schedule. Raises ScheduleFailed for the first in which something goes wrong."""
    exploration = _Exploration(scenario)
    parts = {name: _Part(actor) for name, actor in scenario.actors.items()}
    return Explored(exploration.visit(parts, scenario.world), len(exploration.visited))


class _Exploration:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._schedule: list[str] = []
        self.visited: dict[Hashable, int] = {}
        """How many schedules lead on from each state."""

    def visit(self, parts: _Parts, world: World) -> int:
        state = (*parts.values(), world.state())
        if state not in self.visited:
            moves = list(self._moves(parts, world))
            self.visited[state] = sum(self._go(parts, world, move) for move in moves) if moves else self._end(world)
        return self.visited[state]

    def _go(self, parts: _Parts, world: World, move: _Move) -> int:
        world = world.copy()
        self._schedule.append(move.line)
        try:
            outcome = move.way(world)
            self._schedule[-1] += _remark(outcome)
            parts = {**parts, **{name: parts[name].after(outcome) for name in move.movers}}
        except Exception as error:
            raise ScheduleFailed(str(error) or repr(error), self._schedule) from error
        schedules = self.visit(parts, world)
        self._schedule.pop()
        return schedules

    def _end(self, world: World) -> int:
        try:
            self._scenario.check(world)
        except Exception as error:
            raise ScheduleFailed(str(error) or repr(error), self._schedule) from error
        return 1

    def _moves(self, parts: _Parts, world: World) -> Iterator[_Move]:
        steps = {name: part.next for name, part in parts.items() if isinstance(part.next, Step)}
        if not steps:
            yield from _end_of_pause({name: part.next for name, part in parts.items() if isinstance(part.next, Pause)})
        for name, step in _next(steps, settled=world.settled):
            yield from (_Move(_line(name, step, remark), way, [name]) for remark, way in step.ways.items())
            if name in self._scenario.unreliable and world.faults and not world.settled:
                yield from (_Move(_line(name, step, fault), _fault(way), [name]) for fault, way in step.faults.items())


def _next(steps: Mapping[str, Step], *, settled: bool) -> Collection[tuple[str, Step]]:
    first = [(name, step) for name, step in steps.items() if settled or step.private][:1]
    return first or steps.items()


def _end_of_pause(pauses: Mapping[str, Pause]) -> Iterator[_Move]:
    last = all(pause.last for pause in pauses.values())
    ms = max((pause.ms for pause in pauses.values() if pause.last == last), default=0)

    def way(world: World) -> Outcome:
        world.now += ms
        world.settled = last
        return Outcome(world.now)

    movers = [name for name, pause in pauses.items() if pause.last == last]
    if movers:
        yield _Move(f"{ms // 1_000} s pass", way, movers)


def _fault(way: Way) -> Way:
    def fault(world: World) -> Outcome:
        world.faults -= 1
        return way(world)

    return fault


def _line(name: str, step: Step, remark: str) -> str:
    return f"{name}: {step.name}" + (f" [{remark}]" if remark else "")


def _remark(outcome: Outcome) -> str:
    match outcome.value:
        case False:
            return " -> no"
        case Updated(made=False):
            return " -> no, its condition does not hold"
        case Enum(value=answer):
            return f" -> {answer}"
        case list(found) | dict(found):
            return f" -> {len(found)} found"
        case _:
            return ""
