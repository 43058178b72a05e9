"""The scenarios: who does what at the same time, in which world, and what must hold when all is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from chat import conversations
from chat.acquaintance import PEER_BLOCKED, PEER_WROTE, WROTE
from chat.blocking import Blocking
from chat.chats import CHAT_OUTLIVES_MS
from chat.conversations import Conversations
from chat.delivery import Gateway
from chat.hidden import BLOCK_REV, hides, is_blocked
from chat.kicking import Kicking
from chat.protocol import ReceiptKind
from chat.sessions import Barred, Connection, Sessions
from chat.table import TTL, Key, Update, chat_key, message_key, sessions_key
from tests.fakes.clock import HOUR_MS, RETENTION_MS
from tests.fakes.memory import MemoryTable, serially
from tests.schedules.clients import BlockableConnection, SteppedClient, SteppedConnection, Watcher, text_of
from tests.schedules.explorer import Actor, Outcome, Player, Scenario, Step, Way
from tests.schedules.instance import Code, StepGateway, StepTable
from tests.schedules.world import START, Begun, Hearing, Sent, Violation, World, seq_of

SECONDS_MS = 5_000

ALICE, BOB, ZOE = "alice", "bob", "zoe"
ALICE_PHONE = Connection(ALICE, "alice-phone", START - HOUR_MS)
ALICE_LAPTOP = Connection(ALICE, "alice-laptop", START - HOUR_MS)
BOB_PHONE = Connection(BOB, "bob-phone", START - HOUR_MS)
BOB_LAPTOP = Connection(BOB, "bob-laptop", START - HOUR_MS)
BOB_GONE = Connection(BOB, "bob-gone", START - HOUR_MS)


def world(
    *,
    messages: int = 2,
    to: str = BOB,
    age_ms: int = HOUR_MS,
    open: Collection[Connection] = (),
    gone: Collection[Connection] = (),
    half_sent: str = "",
    faults: int = 0,
    acquainted: bool = True,
    blocked: bool = False,
    blocking: type[Blocking] = Blocking,
    half_sender: str = ALICE,
) -> World:
    """Old messages of Alice, and connections: open ones, and ones that ended without anybody being told.

    `half_sent` is the id of one more message, by `half_sender`, whose first try died behind the append. With
    `acquainted`, the other side has written, too, some time; with `blocked`, Alice has blocked it.
    """
    table, then = MemoryTable(), START - age_ms
    log = Conversations(table, retention_ms=RETENTION_MS, clock=lambda: then, parallel=serially)
    for number in range(1, messages + 1):
        log.advance(log.append(ALICE, to, f"old-{number}", "old").message)
    if messages and acquainted:
        for key in (chat_key(ALICE, to), chat_key(to, ALICE)):
            table.update(key, Update(put={WROTE: 1, PEER_WROTE: 1}))
    if half_sent:
        log.append(half_sender, to if half_sender == ALICE else ALICE, half_sent, text_of(half_sent))
    if blocked:
        blocking(table, log, Sessions(table, lambda: then), lambda: then).block(ALICE, to)
    for connection in (*open, *gone):
        Sessions(table, lambda: START - HOUR_MS).connect(connection)
    numbered = frozenset(key for key in table.items if key.sk.startswith("MSG#"))
    hearing = Hearing.BLOCKED if blocked else Hearing.FREE
    before = dict(table.items)
    return World(table.items, open=frozenset(open), before=before, numbered=numbered, faults=faults, hearing=hearing)


def check(world: World) -> None:
    """What holds at the end of every schedule."""
    for promise in world.acknowledged:
        if isinstance(promise, Sent):
            item = world.items.get(message_key(promise.sender, promise.to, promise.seq), {})
            if (item.get("from"), item.get("id")) != (promise.sender, promise.id):
                raise Violation(f"{promise} is not stored")
            if unsends := int(item.get("unsends", 0)):
                _check_tombstone(world, message_key(promise.sender, promise.to, unsends))
            if promise.heard:
                _check_who_wrote(world, promise)
    copies = Counter((key.pk, item["from"], item["id"]) for key, item in world.messages().items())
    for (partition, _, id), count in copies.items():
        if count > 1:
            raise Violation(f"{id} is stored {count} times in {partition}")
    for partition in {key.pk for key in world.numbered}:
        numbers = sorted(seq_of(key) for key in world.numbered if key.pk == partition)
        if numbers != list(range(1, len(numbers) + 1)):
            raise Violation(f"the numbers of {partition} are {numbers}")


def _check_tombstone(world: World, key: Key) -> None:
    item = world.items[key]
    if "text" in item or not item.get("unsent"):
        raise Violation(f"{item['id']} is taken back, and still there")


def _check_who_wrote(world: World, sent: Sent) -> None:
    """The chat items of both sides say that the sender has written."""
    for key, name in ((chat_key(sent.sender, sent.to), WROTE), (chat_key(sent.to, sent.sender), PEER_WROTE)):
        if not world.items.get(key, {}).get(name):
            raise Violation(f"{key.pk} {key.sk} does not say that {sent.sender} has written")


def sends_while_a_device_connects(code: Code, *, sends: int = 1, held: int = 2) -> Scenario:
    """Messages, one after another, while a device connects, syncs and reads what it misses."""

    def alice(player: Player) -> None:
        phone, instance = SteppedClient(player, code, ALICE_PHONE, {BOB: 2}), code.message_function(player)
        for number in range(sends):
            phone.send(BOB, f"a{number}", instance)
        phone.finish()

    actors = {"alice": alice, "bob": _connects(code, BOB_PHONE, {ALICE: held})}
    return Scenario(actors, world(open=[ALICE_PHONE]), check)


def a_user_comes_back(code: Code, *, blocked: bool = False) -> Scenario:
    """Somebody whose sessions have expired connects, and is written to; TTL deletes the sessions at any time.

    It is Bob; with `blocked` it is Alice, who has blocked Bob.
    """
    back, other = (ALICE_PHONE, BOB_PHONE) if blocked else (BOB_PHONE, ALICE_PHONE)

    def writer(player: Player) -> None:
        connection = BlockableConnection if blocked else SteppedConnection
        connection(player, code, other).send(back.user, "new")

    def ttl(player: Player) -> None:
        _ttl([sessions_key(back.user)])(player)

    start = world(blocked=blocked, acquainted=not blocked)
    table, then = MemoryTable(), START - RETENTION_MS - HOUR_MS
    table.items = start.items
    code.sessions(table, lambda: then, retention_ms=RETENTION_MS).connect(Connection(back.user, "long-gone", then))
    actors = {"writer": writer, back.user: _connects(code, back, {other.user: 2}), "TTL": ttl}
    return Scenario(actors, replace(start, before=dict(table.items)), check_blocked if blocked else check)


def a_push_meets_a_handshake(code: Code, *, devices: int = 1) -> Scenario:
    """A message for a user with a connection that is opening and one that is long gone: both are answered 410."""

    def alice(player: Player) -> None:
        phone = SteppedClient(player, code, ALICE_PHONE, {BOB: 2})
        phone.send(BOB, "a")
        phone.finish()

    connections = [BOB_PHONE, BOB_LAPTOP][:devices]
    opening = {connection.id: _connects(code, connection) for connection in connections}
    return Scenario({"alice": alice, **opening}, world(open=[ALICE_PHONE], gone=[BOB_GONE]), check)


def a_device_that_was_taken_out_syncs(code: Code, *, sends: int = 1) -> Scenario:
    """A device is there, and nobody knows; it has another chat, too, so that a list that is read in parts has two."""

    def alice(player: Player) -> None:
        phone, instance = SteppedClient(player, code, ALICE_PHONE, {BOB: 2}), code.message_function(player)
        for number in range(sends):
            phone.send(BOB, f"a{number}", instance)
        phone.finish()

    def bob(player: Player) -> None:
        phone = SteppedClient(player, code, BOB_PHONE, {ALICE: 2, ZOE: 0})
        phone.sync()
        phone.finish()

    start = world(open=[ALICE_PHONE])
    start.open |= {BOB_PHONE}
    start.items[chat_key(BOB, ZOE)] = {
        **start.items[chat_key(BOB, ALICE)],
        "sk": chat_key(BOB, ZOE).sk,
        "seq": 0,
        BLOCK_REV: 1,
    }
    return Scenario({"alice": alice, "bob": bob}, replace(start, before=dict(start.items)), check)


Kick = Callable[[Sessions, Gateway, Player], object]


def bars_and_closes(sessions: Sessions, gateway: Gateway, player: Player) -> None:
    """Kicks bob, as an operator's command and a backend do: until no connection is opening any more."""
    kicking = Kicking(sessions, gateway, clock=player.now, parallel=serially)
    while kicking.bar(BOB, HOUR_MS)[1].opening:
        player.pause(1_000)


def a_kick_meets_a_handshake(code: Code, *, kick: Kick = bars_and_closes) -> Scenario:
    """An operator kicks a user with one connection that is open, while another one opens and a message comes."""

    def operator(player: Player) -> None:
        kick(Sessions(StepTable(player), player.now), StepGateway(player), player)

    def laptop(player: Player) -> None:
        with suppress(Barred):
            SteppedClient(player, code, BOB_LAPTOP._replace(connected_at=player.now())).connect()

    def alice(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a")

    def check_out(world: World) -> None:
        check(world)
        for connection in world.open:
            if connection.user == BOB:
                raise Violation(f"{connection.id} is open, although its user was kicked")

    actors = {"operator": operator, "bob": laptop, "alice": alice}
    return Scenario(actors, world(open=[ALICE_PHONE, BOB_PHONE]), check_out)


def a_retry_on_another_instance(code: Code, *, faults: int = 1) -> Scenario:
    """A message and its retry at the same time, anything going wrong, then one more retry."""

    def again(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True)

    actors = {
        "alice": _sends_until_acknowledged(code, BOB, "a"),
        "alice again": again,
        "bob": _listens(code, BOB_PHONE, {ALICE: 2}),
    }
    return Scenario(actors, world(open=[BOB_PHONE], faults=faults), check, unreliable=["alice", "alice again"])


def a_retry_between_other_messages(code: Code, *, faults: int = 0) -> Scenario:
    """As before, while the other side writes, too."""

    def bob(player: Player) -> None:
        SteppedConnection(player, code, BOB_LAPTOP).send(ALICE, "b")

    retry = a_retry_on_another_instance(code, faults=faults)
    return replace(retry, actors={**retry.actors, "bob's laptop": bob})


def a_retry_behind_a_stale_tail(code: Code, *, faults: int = 1) -> Scenario:
    """The read that the retry begins with may show the conversation as it was before the first try."""

    def alice(player: Player) -> None:
        player.pause(SECONDS_MS)
        _sends_until_acknowledged(code, BOB, "a")(player)

    def again(player: Player) -> None:
        phone, instance = SteppedConnection(player, code, ALICE_PHONE), code.message_function(player)
        phone.send(BOB, "before", instance)
        player.pause(SECONDS_MS)
        phone.send(BOB, "a", instance, retry=True)

    actors = {"alice": alice, "alice again": again}
    return Scenario(actors, world(faults=faults), check, unreliable=actors)


def a_retry_far_behind(code: Code) -> Scenario:
    """Between first try and retry come more messages than a tail holds; a stale read shows none of them."""

    def alice(player: Player) -> None:
        player.pause(SECONDS_MS)
        SteppedConnection(player, code, ALICE_LAPTOP).send(BOB, "a")

    def again(player: Player) -> None:
        phone, instance = SteppedConnection(player, code, ALICE_PHONE), code.message_function(player)
        phone.send(BOB, "before", instance)
        for _ in range(3):
            player.pause(SECONDS_MS)
        _must(phone.send(BOB, "a", instance, retry=True))

    def bob(player: Player) -> None:
        phone, instance = SteppedConnection(player, code, BOB_PHONE), code.message_function(player)
        player.pause(SECONDS_MS)
        player.pause(SECONDS_MS)
        for number in range(conversations.TAIL_LENGTH + 1):
            phone.send(ALICE, f"b{number}", instance)

    return Scenario({"alice": alice, "alice again": again, "bob": bob}, world(faults=1), check, unreliable=["alice"])


def a_retry_overtakes_its_first_try(code: Code, *, faults: int = 0) -> Scenario:
    """The first try is still on its way, or done, when the retry comes, and more messages than a tail holds."""

    def again(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True)

    actors = {"alice": _sends_until_acknowledged(code, BOB, "a"), "alice again": again, "bob": _writes_a_lot}
    return Scenario(actors, world(faults=faults), check, unreliable=["alice", "alice again"])


def a_retry_heals_late(code: Code, *, faults: int = 1) -> Scenario:
    """The first try died long ago; the retry comes to a device that connects just then, and whose push may fail."""

    def alice(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True)

    actors = {"alice": alice, "bob": _connects(code, BOB_PHONE, {ALICE: 2})}
    return Scenario(actors, world(half_sent="a", faults=faults), check, unreliable=["alice"])


def a_client_finds_its_message(code: Code, *, faults: int = 1, finding_is_enough: bool = False) -> Scenario:
    """A client without an answer looks into the log; if its message is there, a receipt heals what is undone."""

    def alice(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        if phone.send(BOB, "a"):
            return
        player.pause()
        seq = phone.look(BOB).get("a")
        if seq is None:
            _must(phone.send(BOB, "a", retry=True) or phone.send(BOB, "a", retry=True))
            return
        if not finding_is_enough:
            _must(phone.mark(BOB, ReceiptKind.READ, seq) or phone.mark(BOB, ReceiptKind.READ, seq))
        phone.acknowledge(BOB, "a", seq, pushed=False)

    actors = {"alice": alice, "bob": _listens(code, BOB_PHONE, {ALICE: 2})}
    return Scenario(actors, world(open=[BOB_PHONE], faults=faults), check, unreliable=["alice"])


def a_receipt_meets_a_send(code: Code, *, faults: int = 1, kind: ReceiptKind = ReceiptKind.READ) -> Scenario:
    """A device marks the newest message it finds in the log, which may be half sent."""

    def bob(player: Player) -> None:
        phone = SteppedConnection(player, code, BOB_PHONE)
        phone.mark(ALICE, kind, max(phone.look(ALICE).values()))

    actors = {
        "alice": _sends_until_acknowledged(code, BOB, "a"),
        "bob": bob,
        "alice's laptop": _listens(code, ALICE_LAPTOP, {BOB: 2}),
    }
    return Scenario(actors, world(open=[ALICE_LAPTOP], faults=faults), check, unreliable=["alice"])


def receipts_meet(code: Code) -> Scenario:
    """Three devices mark different numbers; none of them goes back."""

    def reader(device: str, kind: ReceiptKind, seq: int) -> Actor:
        connection = Connection(BOB, device, START - HOUR_MS)
        return lambda player: _must(SteppedConnection(player, code, connection).mark(ALICE, kind, seq))

    actors = {
        "bob's phone": reader("bob-phone", ReceiptKind.READ, 2),
        "bob's laptop": reader("bob-laptop", ReceiptKind.READ, 1),
        "bob's tablet": reader("bob-tablet", ReceiptKind.DELIVERED, 2),
        "alice": _listens(code, ALICE_PHONE, {BOB: 2}),
    }
    return Scenario(actors, world(open=[ALICE_PHONE]), check)


def a_receipt_is_repeated(code: Code, *, faults: int = 1, kind: ReceiptKind = ReceiptKind.READ) -> Scenario:
    """A receipt may be stored and its pushes lost; its repetition moves nothing, so the heartbeat has to tell of it."""

    def bob(player: Player) -> None:
        phone = SteppedConnection(player, code, BOB_PHONE)
        phone.mark(ALICE, kind, 2)
        player.pause(last=True)
        _must(phone.mark(ALICE, kind, 2))

    actors = {"bob": bob, "alice's laptop": _connects(code, ALICE_LAPTOP, {BOB: 2})}
    return Scenario(actors, world(faults=faults), check, unreliable=["bob"])


def strangers_mark(code: Code, *, faults: int = 1) -> Scenario:
    """Bob has not answered Alice; each marks her messages, and neither is told."""

    def alice(player: Player) -> None:
        SteppedConnection(player, code, ALICE_LAPTOP).mark(BOB, ReceiptKind.READ, 2)

    def bob(player: Player) -> None:
        SteppedConnection(player, code, BOB_LAPTOP).mark(ALICE, ReceiptKind.DELIVERED, 2)

    start = world(acquainted=False, open=[ALICE_PHONE, BOB_PHONE], faults=faults)
    return Scenario({"alice": alice, "bob": bob}, start, check)


def a_receipt_meets_an_answer(code: Code) -> Scenario:
    """Bob reads what Alice, a stranger, has written, while another device of his answers her."""

    def reader(player: Player) -> None:
        SteppedConnection(player, code, BOB_LAPTOP).mark(ALICE, ReceiptKind.READ, 2)

    def writer(player: Player) -> None:
        SteppedConnection(player, code, BOB_PHONE).send(ALICE, "b")

    return Scenario({"reader": reader, "writer": writer}, world(acquainted=False, open=[ALICE_PHONE]), check)


def both_write_first(code: Code, *, faults: int = 0) -> Scenario:
    """The first message of a pair, from both sides at once, each with a device that listens."""

    def writer(connection: Connection, peer: str, id: str) -> Actor:
        def actor(player: Player) -> None:
            device = SteppedClient(player, code, connection)
            device.send(peer, id)
            player.pause(last=True)
            _must(device.send(peer, id, retry=True))
            device.finish()

        return actor

    actors = {"alice": writer(ALICE_PHONE, BOB, "a"), "bob": writer(BOB_PHONE, ALICE, "b")}
    return Scenario(actors, world(messages=0, open=[ALICE_PHONE, BOB_PHONE], faults=faults), check, unreliable=actors)


def a_first_message_is_asked_about(code: Code, *, faults: int = 1) -> Scenario:
    """The product's rule allows a first message and its retry, at the same time and once more in the end."""

    def again(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True)

    code = replace(code, has_rule=True)
    actors = {"alice": _sends_until_acknowledged(code, BOB, "a"), "alice again": again}
    start = replace(world(messages=0, faults=faults), allowed=frozenset())
    return Scenario(actors, start, check, unreliable=actors)


def one_of_two_may_begin(code: Code, *, faults: int = 0) -> Scenario:
    """The first message of a pair, from both sides at once, of whom one may not begin: it may answer."""

    def alice(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        phone.send(BOB, "a")
        player.pause(last=True)
        phone.send(BOB, "a", retry=True)

    def bob(player: Player) -> None:
        SteppedConnection(player, code, BOB_PHONE).send(ALICE, "b")

    code = replace(code, has_rule=True)
    start = replace(world(messages=0, faults=faults), allowed=frozenset(), refused=frozenset({ALICE}))
    return Scenario({"alice": alice, "bob": bob}, start, check, unreliable=["alice", "bob"])


def a_user_writes_to_itself(code: Code, *, faults: int = 1) -> Scenario:
    """A note from one device to the user's others, one of which is just connecting."""
    laptop, tablet = ALICE_LAPTOP, ALICE_LAPTOP._replace(id="alice-tablet")
    actors = {
        "alice": _sends_until_acknowledged(code, ALICE, "a"),
        "alice's laptop": _connects(code, laptop),
        "alice's tablet": _listens(code, tablet, {ALICE: 2}),
    }
    return Scenario(actors, world(to=ALICE, open=[tablet], faults=faults), check, unreliable=["alice"])


def both_write_into_an_old_log(
    code: Code, *, age_ms: int = RETENTION_MS + HOUR_MS, one_by_one: bool = False
) -> Scenario:
    """A log whose messages have expired, or are about to; the expired ones TTL deletes in any order, or not yet."""

    def alice(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a")

    def bob(player: Player) -> None:
        SteppedConnection(player, code, BOB_PHONE).send(ALICE, "b")

    actors = {"alice": alice, "bob": bob, "TTL": _deletes_expired(age_ms, one_by_one=one_by_one)}
    return Scenario(actors, world(age_ms=age_ms), check)


def a_retry_into_an_old_log(code: Code, *, one_by_one: bool = False, faults: int = 0) -> Scenario:
    """A message and its retry, the first ones for a long time."""
    age_ms = RETENTION_MS + HOUR_MS
    retry = a_retry_on_another_instance(code)
    actors = {name: retry.actors[name] for name in ("alice", "alice again")}
    actors["TTL"] = _deletes_expired(age_ms, one_by_one=one_by_one)
    return replace(retry, actors=actors, world=world(age_ms=age_ms, faults=faults))


def both_write_when_all_has_expired(
    code: Code,
    *,
    past_ms: int = HOUR_MS,
    leftovers: bool = False,
    one_by_one: bool = False,
    blocked: bool = False,
    faults: int = 0,
) -> Scenario:
    """Two first messages for a long time, while TTL deletes the chat items, and what is left of the log.

    The chat items may be deleted since `past_ms`, or from then on. With `leftovers`, TTL has not deleted the messages
    yet; it takes them and the chat items together, or all of them `one_by_one`.
    """

    def alice(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a")
        if faults:
            player.pause(last=True)
            _must(SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True))

    def bob(player: Player) -> None:
        connection = BlockableConnection if blocked else SteppedConnection
        connection(player, code, BOB_LAPTOP).send(ALICE, "b")

    start = _ended(past_ms, leftovers=leftovers, faults=faults, blocking=code.blocking if blocked else None)
    chats = [chat_key(ALICE, BOB), chat_key(BOB, ALICE)]
    messages = [message_key(ALICE, BOB, seq) for seq in (1, 2)] if leftovers else []
    batches = [[key] for key in (*chats, *messages)] if one_by_one or not leftovers else [chats, messages]
    actors: dict[str, Actor] = {"alice": alice, "bob": bob}
    actors |= {f"TTL {place}": _ttl(batch) for place, batch in enumerate(batches)}
    return Scenario(actors, start, check_blocked if blocked else check, unreliable=["alice"] if faults else [])


def a_device_hears_when_all_has_expired(
    code: Code, *, client: type[SteppedClient] = SteppedClient, connected: bool = True, messages: int = 1
) -> Scenario:
    """First messages for a long time to a device that has the numbers 1 and 2: it was there all the time, or away."""

    def alice(player: Player) -> None:
        for place in range(messages):
            SteppedConnection(player, code, ALICE_PHONE).send(BOB, f"a{place}")

    def phone(player: Player) -> None:
        since = BOB_PHONE.connected_at if connected else player.now()
        device = client(player, code, BOB_PHONE._replace(connected_at=since), {ALICE: 2}, {ALICE: expires})
        if not connected:
            device.connect()
            device.sync()
        device.finish()

    start = _ended(HOUR_MS, open=[BOB_PHONE] if connected else [])
    expires = START - HOUR_MS - CHAT_OUTLIVES_MS
    ttl = _ttl([chat_key(ALICE, BOB), chat_key(BOB, ALICE)])
    return Scenario({"alice": alice, "bob's phone": phone, "TTL": ttl}, start, check)


def _ended(
    past_ms: int,
    *,
    leftovers: bool = False,
    open: Collection[Connection] = (),
    faults: int = 0,
    blocking: type[Blocking] | None = None,
) -> World:
    """Two messages that have expired, whose chat items may be deleted since `past_ms`.

    With `blocking`, Alice has blocked Bob.
    """
    age_ms = RETENTION_MS + CHAT_OUTLIVES_MS + past_ms
    blocks = bool(blocking)
    start = world(
        age_ms=age_ms, open=open, faults=faults, acquainted=not blocks, blocked=blocks, blocking=blocking or Blocking
    )
    if not leftovers:
        for seq in (1, 2):
            start.delete(message_key(ALICE, BOB, seq))
    return replace(start, before=dict(start.items))


def _ttl(keys: Collection[Key]) -> Actor:
    """DynamoDB's TTL deletes these items in one step, those of them that have expired."""

    def way(world: World) -> Outcome:
        for key in keys:
            if 0 < int(world.items.get(key, {}).get(TTL, 0)) * 1_000 <= world.now:
                world.delete(key)
        return Outcome()

    names = ", ".join(" ".join(key) for key in keys)
    return lambda player: player.step(Step(f"TTL deletes what has expired of {names}", {"": way}))


def the_table_goes_back(code: Code, *, client: type[SteppedClient] = SteppedClient, faults: int = 0) -> Scenario:
    """Both have message 3 when the table is recovered to message 2, and it is given out once more.

    The operator stops the functions first, so that none is in the middle of anything.
    """

    def alice(player: Player) -> None:
        phone = client(player, code, ALICE_PHONE, {BOB: 2})
        _must(phone.send(BOB, "lost") or phone.send(BOB, "lost", retry=True))
        player.pause()
        player.pause()
        phone.send(BOB, "new")
        phone.finish()

    def bob(player: Player) -> None:
        phone = client(player, code, BOB_PHONE, {ALICE: 2})
        phone.sync()
        player.pause()
        player.pause()
        phone.sync()
        phone.finish()

    def operator(player: Player) -> None:
        player.pause()
        player.step(Step("recovers the table", {"": _goes_back}))
        player.pause()

    actors = {"alice": alice, "bob": bob, "operator": operator}
    return Scenario(actors, world(open=[ALICE_PHONE, BOB_PHONE], faults=faults), check, unreliable=["alice"])


def _goes_back(world: World) -> Outcome:
    world.go_back()
    return Outcome()


def a_block_meets_sends(code: Code, *, faults: int = 1, sends: int = 2, unblocks: bool = False) -> Scenario:
    """Alice blocks Bob, and perhaps unblocks him again, while he writes; a tablet of hers connects."""

    def blocker(player: Player) -> None:
        laptop = SteppedConnection(player, code, ALICE_LAPTOP)
        laptop.block(BOB)
        if unblocks:
            laptop.unblock(BOB)
        player.pause(last=True)
        _must(laptop.unblock(BOB) if unblocks else laptop.block(BOB))

    def bob(player: Player) -> None:
        phone = BlockableConnection(player, code, BOB_PHONE)
        for number in range(sends):
            phone.send(ALICE, f"b{number}")

    actors = {"alice blocks": blocker, "bob": bob, "alice": _listens(code, ALICE_PHONE, {BOB: 2})}
    start = world(acquainted=False, open=[ALICE_PHONE], faults=faults)
    return Scenario(actors, start, check_blocked, unreliable=["alice blocks", "bob"])


def a_block_meets_a_look(code: Code) -> Scenario:
    """Alice's phone reads the history while her laptop blocks Bob, who then writes."""

    def blocker(player: Player) -> None:
        _must(SteppedConnection(player, code, ALICE_LAPTOP).block(BOB))

    def bob(player: Player) -> None:
        BlockableConnection(player, code, BOB_PHONE).send(ALICE, "b")

    def reader(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).look(BOB)

    return Scenario({"blocker": blocker, "bob": bob, "reader": reader}, world(acquainted=False), check_blocked)


def a_retry_meets_blocks(code: Code, *, faults: int = 0) -> Scenario:
    """Bob's message is stored and in no chat list; he repeats it while Alice blocks and unblocks him."""

    def blocker(player: Player) -> None:
        laptop = SteppedConnection(player, code, ALICE_LAPTOP)
        laptop.block(BOB)
        player.pause(last=True)
        _must(laptop.unblock(BOB))

    def bob(player: Player) -> None:
        phone = BlockableConnection(player, code, BOB_PHONE)
        phone.send(ALICE, "b", retry=True)
        player.pause(last=True)
        _must(phone.send(ALICE, "b", retry=True))

    actors = {"blocker": blocker, "bob": bob, "alice": _listens(code, ALICE_PHONE, {BOB: 2})}
    start = world(acquainted=False, open=[ALICE_PHONE], half_sent="b", half_sender=BOB, faults=faults)
    start.begun = frozenset({(("message", "b"), Begun(Hearing.FREE, -1))})
    return Scenario(actors, start, check_blocked, unreliable=["blocker", "bob"])


def a_blocker_writes(code: Code, *, faults: int = 0, unblocks: bool = True) -> Scenario:
    """Alice has blocked Bob, and writes to him, while he writes to her or another device of hers unblocks him."""

    def writer(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        phone.send(BOB, "a")
        player.pause(last=True)
        _must(phone.send(BOB, "a", retry=True))

    def unblocker(player: Player) -> None:
        _must(SteppedConnection(player, code, ALICE_LAPTOP).unblock(BOB))

    def bob(player: Player) -> None:
        BlockableConnection(player, code, BOB_PHONE).send(ALICE, "b")

    def reader(player: Player) -> None:
        tablet = SteppedClient(player, code, ALICE_PHONE._replace(id="alice-tablet"), {BOB: 2})
        player.pause(last=True)
        tablet.sync()

    other = {"alice unblocks": unblocker} if unblocks else {"bob": bob}
    actors = {"alice": writer, **other, "alice's tablet": reader}
    start = world(acquainted=False, blocked=True, faults=faults)
    return Scenario(actors, start, check_blocked, unreliable=["alice"])


def blocks_meet(code: Code, *, faults: int = 1) -> Scenario:
    """One device blocks, another unblocks: both chat items say the same in the end."""

    def blocker(player: Player) -> None:
        laptop = SteppedConnection(player, code, ALICE_LAPTOP)
        laptop.block(BOB)
        if faults:
            player.pause(last=True)
            _must(laptop.block(BOB))

    def unblocker(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).unblock(BOB)

    def another(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE._replace(id="alice-tablet")).block(BOB)

    actors = {"blocks": blocker, "unblocks": unblocker, "blocks, too": another}
    return Scenario(actors, world(acquainted=False, blocked=True, faults=faults), check_blocked, unreliable=actors)


def a_block_meets_signs_of_life(code: Code, *, faults: int = 0) -> Scenario:
    """Bob reads, types and asks while Alice blocks him; each sees the other until then."""

    def blocker(player: Player) -> None:
        _must(SteppedConnection(player, code, ALICE_LAPTOP).block(BOB))

    def bob(player: Player) -> None:
        phone = BlockableConnection(player, code, BOB_PHONE)
        phone.mark(ALICE, ReceiptKind.READ, 2)
        phone.type(ALICE)
        phone.ask_presence(ALICE)

    actors = {"blocker": blocker, "bob": bob, "alice": _listens(code, ALICE_PHONE, {BOB: 2})}
    return Scenario(actors, world(open=[ALICE_PHONE, BOB_PHONE], faults=faults), check_blocked, unreliable=["bob"])


def a_block_meets_a_sync(code: Code, *, faults: int = 0) -> Scenario:
    """Bob asks with a sync whether Alice is there, while she blocks him."""

    def blocker(player: Player) -> None:
        _must(SteppedConnection(player, code, ALICE_LAPTOP).block(BOB))

    def bob(player: Player) -> None:
        BlockableConnection(player, code, BOB_PHONE).sync_with_presence(ALICE)

    actors = {"blocker": blocker, "bob": bob}
    return Scenario(actors, world(open=[ALICE_PHONE, BOB_PHONE], faults=faults), check_blocked, unreliable=["bob"])


def _hangs_up(world: World) -> Outcome:
    world.close_connection(ALICE_PHONE.id)
    return Outcome()


def _is_open(world: World) -> Outcome:
    world.open_connection(ALICE_PHONE)
    return Outcome()


def an_arrival_meets_a_first_sync(code: Code, *, goes: bool = False) -> Scenario:
    """Alice comes, or goes, while Bob connects and asks with his first sync whether she is there."""

    def alice(player: Player) -> None:
        sessions = code.sessions(StepTable(player), player.now)
        if goes:
            player.step(Step("hangs up", {"": _hangs_up}))
            change = sessions.disconnect(ALICE_PHONE)
        else:
            change = sessions.connect(ALICE_PHONE)
            player.step(Step("its handshake ends", {"": _is_open}))
        if change:
            code.message_function(player).announce(change.presence)

    def bob(player: Player) -> None:
        Watcher(player, code, BOB_PHONE._replace(connected_at=player.now())).watch(ALICE)

    return Scenario({"alice": alice, "bob": bob}, world(open=[ALICE_PHONE] if goes else []), check)


def nobody_takes_a_message(
    code: Code, *, faults: int = 1, on_two_instances: bool = False, connects: bool = False
) -> Scenario:
    """A message to a user whose one connection is gone, until it is acknowledged; perhaps another one just opens."""

    def again(player: Player) -> None:
        SteppedConnection(player, code, ALICE_PHONE).send(BOB, "a", retry=True)

    code = replace(code, has_bus=True)
    actors = {"alice": _sends_until_acknowledged(code, BOB, "a")}
    if on_two_instances:
        actors["alice again"] = again
    if connects:
        actors["bob"] = _connects(code, BOB_LAPTOP, {ALICE: 2})
    start = replace(world(gone=[BOB_GONE], faults=faults), has_bus=True)
    return Scenario(actors, start, check, unreliable=["alice", "alice again"])


def a_device_takes_a_message(code: Code, *, faults: int = 1) -> Scenario:
    """The product is told of no message that a device is there to take."""

    def check_quiet(world: World) -> None:
        check(world)
        if world.told and not world.push_failed:
            raise Violation(f"the product is told of {world.told}, which a device of the recipient has")

    code = replace(code, has_bus=True)
    actors = {"alice": _sends_until_acknowledged(code, BOB, "a"), "bob": _listens(code, BOB_PHONE, {ALICE: 2})}
    start = replace(world(open=[BOB_PHONE], gone=[BOB_GONE], faults=faults), has_bus=True)
    return Scenario(actors, start, check_quiet, unreliable=["alice"])


def a_block_meets_a_message_that_nobody_takes(code: Code, *, faults: int = 0) -> Scenario:
    """Bob writes while Alice, none of whose devices is there, is blocking him."""

    def blocker(player: Player) -> None:
        SteppedConnection(player, code, ALICE_LAPTOP).block(BOB)

    def bob(player: Player) -> None:
        phone = BlockableConnection(player, code, BOB_PHONE)
        phone.send(ALICE, "b")
        player.pause(last=True)
        _must(phone.send(ALICE, "b", retry=True))

    code = replace(code, has_bus=True)
    start = replace(world(faults=faults), has_bus=True)
    return Scenario({"alice blocks": blocker, "bob": bob}, start, check, unreliable=["bob"])


def a_message_is_taken_back(code: Code, *, faults: int = 1, connects: bool = False, held: int = 0) -> Scenario:
    """Its sender repeats that until it is acknowledged. One device is there; another, which has `held`, connects."""
    laptop = {"bob's laptop": _connects(code, BOB_LAPTOP, {ALICE: held})} if connects else {}
    actors = {"alice": _unsends_until_acknowledged(code, 2), "bob": _listens(code, BOB_PHONE, {ALICE: 2}), **laptop}
    return Scenario(actors, world(open=[BOB_PHONE], faults=faults), check, unreliable=["alice"])


def two_devices_take_it_back(code: Code, *, faults: int = 0) -> Scenario:
    """Both at once, and each only once, if nothing fails."""

    def device(connection: Connection) -> Actor:
        def actor(player: Player) -> None:
            device = SteppedConnection(player, code, connection)
            device.unsend(BOB, 2)
            if faults:
                player.pause(last=True)
                _must(device.unsend(BOB, 2))

        return actor

    actors = {
        "phone": device(ALICE_PHONE),
        "laptop": device(ALICE_LAPTOP),
        "bob": _listens(code, BOB_PHONE, {ALICE: 2}),
    }
    return Scenario(actors, world(open=[BOB_PHONE], faults=faults), check, unreliable=["phone", "laptop"])


def an_unsend_meets_a_send(code: Code, *, faults: int = 0) -> Scenario:
    """The other side writes while a message is taken back: each gets a number of its own."""

    def alice(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        phone.unsend(BOB, 2)
        if faults:
            player.pause(last=True)
            _must(phone.unsend(BOB, 2))

    def bob(player: Player) -> None:
        phone = SteppedClient(player, code, BOB_PHONE, {ALICE: 2})
        phone.send(ALICE, "b")
        phone.finish()

    return Scenario({"alice": alice, "bob": bob}, world(open=[BOB_PHONE], faults=faults), check, unreliable=["alice"])


def a_half_sent_message_is_taken_back(code: Code, *, faults: int = 0, connects: bool = False) -> Scenario:
    """A message died behind its append. One device sends it once more, another takes it back."""

    def retries(player: Player) -> None:
        SteppedConnection(player, code, ALICE_LAPTOP).send(BOB, "a", retry=True)

    actors = {
        "alice": _unsends_until_acknowledged(code, 3),
        "alice's laptop": retries,
        "bob": (_connects if connects else _listens)(code, BOB_PHONE, {ALICE: 2}),
    }
    start = world(half_sent="a", faults=faults, open=[] if connects else [BOB_PHONE])
    return Scenario(actors, start, check, unreliable=["alice", "alice's laptop"])


def a_retry_of_what_was_taken_back(code: Code, *, faults: int = 1) -> Scenario:
    """A message whose first try died is sent again, taken back, and sent once more, where a read may be stale."""

    def alice(player: Player) -> None:
        phone, instance = SteppedConnection(player, code, ALICE_PHONE), code.message_function(player)

        def acknowledged(ask: Callable[[], int | None]) -> int:
            """Asks once more than there are faults, if it has to."""
            seq = next(filter(None, (ask() for _ in range(faults + 1))), None)
            _must(seq)
            return seq or 0

        repeat = partial(phone.send, BOB, "a", instance, retry=True)
        seq = phone.send(BOB, "a", instance) or acknowledged(repeat)
        acknowledged(partial(phone.unsend, BOB, 3))
        phone.forget_text(BOB, 3)
        again = acknowledged(repeat)
        if again != seq:
            raise Violation(f"a was number {seq}, and is {again}")

    actors = {"alice": alice, "bob": _listens(code, BOB_PHONE, {ALICE: 2})}
    return Scenario(actors, world(half_sent="a", open=[BOB_PHONE], faults=faults), check, unreliable=["alice"])


def a_receipt_meets_an_unsend(code: Code, *, faults: int = 1) -> Scenario:
    """A device marks the newest message that it finds in the log, which may be what takes another back."""

    def bob(player: Player) -> None:
        phone = SteppedConnection(player, code, BOB_PHONE)
        phone.mark(ALICE, ReceiptKind.READ, max(phone.look(ALICE).values()))

    actors = {
        "alice": _unsends_until_acknowledged(code, 2),
        "bob": bob,
        "alice's laptop": _listens(code, ALICE_LAPTOP, {BOB: 2}),
    }
    return Scenario(actors, world(open=[ALICE_LAPTOP], faults=faults), check, unreliable=["alice"])


def a_block_meets_an_unsend(code: Code, *, faults: int = 0) -> Scenario:
    """Bob takes a message back while Alice blocks him, and unblocks him again."""

    def blocker(player: Player) -> None:
        laptop = SteppedConnection(player, code, ALICE_LAPTOP)
        laptop.block(BOB)
        player.pause(last=True)
        _must(laptop.unblock(BOB))

    def bob(player: Player) -> None:
        phone = BlockableConnection(player, code, BOB_PHONE)
        phone.unsend(ALICE, 3)
        player.pause(last=True)
        _must(phone.unsend(ALICE, 3))

    actors = {"blocker": blocker, "bob": bob, "alice": _listens(code, ALICE_PHONE, {BOB: 2})}
    start = world(open=[ALICE_PHONE], half_sent="b", half_sender=BOB, faults=faults)
    return Scenario(actors, start, check_blocked, unreliable=["blocker", "bob"])


def check_blocked(world: World) -> None:
    """What also holds of Alice and Bob at the end of every schedule."""
    check(world)
    chat, peers = (world.items.get(key, {}) for key in (chat_key(ALICE, BOB), chat_key(BOB, ALICE)))
    if world.hearing is not Hearing.CHANGING and is_blocked(chat) != bool(peers.get(PEER_BLOCKED)):
        raise Violation(f"Alice's chat item says {chat}, and Bob's {peers}")
    for promise in world.acknowledged:
        if isinstance(promise, Sent) and int(chat.get("seq", 0)) < promise.seq and not hides(chat, promise.seq):
            raise Violation(f"{promise} is neither hidden nor in the chat list")
        if isinstance(promise, Sent) and promise.sender == ALICE and hides(chat, promise.seq):
            raise Violation(f"{promise} is hidden from her who wrote it")


def _sends_until_acknowledged(code: Code, to: str, id: str) -> Actor:
    """Alice sends, and in the end once more, on another instance, which must work."""

    def actor(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        phone.send(to, id)
        player.pause(last=True)
        _must(phone.send(to, id, retry=True))

    return actor


def _unsends_until_acknowledged(code: Code, seq: int) -> Actor:
    def actor(player: Player) -> None:
        phone = SteppedConnection(player, code, ALICE_PHONE)
        phone.unsend(BOB, seq)
        player.pause(last=True)
        _must(phone.unsend(BOB, seq))

    return actor


def _writes_a_lot(player: Player) -> None:
    """More messages than a tail holds, in one step: how they were stored is not what is explored."""

    def way(world: World) -> Outcome:
        table = MemoryTable()
        table.items = dict(world.items)
        log = Conversations(table, retention_ms=RETENTION_MS, clock=lambda: world.now, parallel=serially)
        for number in range(conversations.TAIL_LENGTH + 1):
            log.append(BOB, ALICE, f"b{number}", "many")
        for key in sorted(table.items.keys() - world.items.keys()):
            world.insert(table.items[key])
        return Outcome()

    player.step(Step("writes a lot", {"": way}))


def _must(acknowledged: object) -> None:
    if not acknowledged:
        raise Violation("nothing fails any more, and still there is no acknowledgement")


def _connects(code: Code, connection: Connection, held: Mapping[str, int] | None = None) -> Actor:
    def actor(player: Player) -> None:
        device = SteppedClient(player, code, connection._replace(connected_at=player.now()), held)
        device.connect()
        device.sync()
        device.finish()

    return actor


def _listens(code: Code, connection: Connection, held: Mapping[str, int]) -> Actor:
    return lambda player: SteppedClient(player, code, connection, held).finish()


def _deletes_expired(age_ms: int, *, one_by_one: bool) -> Actor:
    """DynamoDB's TTL: if the two messages are old enough, deletes any of them or none, in one step or one by one."""

    def actor(player: Player) -> None:
        left: list[tuple[int, ...]] = [(1,), (2,)] if one_by_one else [(1,), (2,), (1, 2)]
        while left and age_ms > RETENTION_MS:
            ways = {f"numbers {batch}": _deletion(batch) for batch in left}
            deleted = player.step(Step("deletes", {**ways, "nothing more": lambda _: Outcome()}))
            left = [batch for batch in left if deleted not in (batch, None)] if one_by_one else []

    return actor


def _deletion(numbers: tuple[int, ...]) -> Way:
    def way(world: World) -> Outcome:
        for seq in numbers:
            world.delete(message_key(ALICE, BOB, seq))
        return Outcome(numbers)

    return way
