"""No schedule loses, doubles or hides a message; and where the code would, the explorer finds the schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from chat.acquaintance import PEER_WROTE, WROTE
from chat.conversations import Conversations
from chat.protocol import ReceiptKind
from chat.table import AtLeast
from tests.fakes.clock import MINUTE_MS, RETENTION_MS
from tests.schedules import mutations
from tests.schedules.clients import ForgetsNothing, OneHistory
from tests.schedules.explorer import Scenario, ScheduleFailed, explore
from tests.schedules.grace import (
    a_connection_outlives_a_bar,
    a_departure_waits,
    a_sync_is_late,
    a_token_ends,
    an_erasure_meets_a_departure,
)
from tests.schedules.instance import Code
from tests.schedules.scenarios import (
    a_block_meets_a_look,
    a_block_meets_a_message_that_nobody_takes,
    a_block_meets_a_sync,
    a_block_meets_an_unsend,
    a_block_meets_sends,
    a_block_meets_signs_of_life,
    a_blocker_writes,
    a_client_finds_its_message,
    a_device_hears_when_all_has_expired,
    a_device_takes_a_message,
    a_device_that_was_taken_out_syncs,
    a_first_message_is_asked_about,
    a_half_sent_message_is_taken_back,
    a_kick_meets_a_handshake,
    a_message_is_taken_back,
    a_push_meets_a_handshake,
    a_receipt_is_repeated,
    a_receipt_meets_a_send,
    a_receipt_meets_an_answer,
    a_receipt_meets_an_unsend,
    a_retry_behind_a_stale_tail,
    a_retry_between_other_messages,
    a_retry_far_behind,
    a_retry_heals_late,
    a_retry_into_an_old_log,
    a_retry_meets_blocks,
    a_retry_of_what_was_taken_back,
    a_retry_on_another_instance,
    a_retry_overtakes_its_first_try,
    a_user_comes_back,
    a_user_writes_to_itself,
    an_arrival_meets_a_first_sync,
    an_unsend_meets_a_send,
    blocks_meet,
    both_write_first,
    both_write_into_an_old_log,
    both_write_when_all_has_expired,
    nobody_takes_a_message,
    one_of_two_may_begin,
    receipts_meet,
    sends_while_a_device_connects,
    strangers_mark,
    the_table_goes_back,
    two_devices_take_it_back,
)

HALF_AN_HOUR_MS = 30 * MINUTE_MS
SHORT_TAIL = 2
SOAK_SECONDS = 900

Build = Callable[[Code], Scenario]


def _name(build: Build) -> str:
    if not isinstance(build, partial):
        return build.__name__
    return " ".join([build.func.__name__, *(f"{name}={value}" for name, value in build.keywords.items())])


@pytest.mark.parametrize(
    "build",
    [
        sends_while_a_device_connects,
        partial(sends_while_a_device_connects, sends=2, held=1),
        a_push_meets_a_handshake,
        a_device_that_was_taken_out_syncs,
        a_kick_meets_a_handshake,
        a_retry_on_another_instance,
        a_retry_behind_a_stale_tail,
        a_retry_heals_late,
        a_client_finds_its_message,
        a_receipt_meets_a_send,
        partial(a_receipt_meets_a_send, kind=ReceiptKind.DELIVERED, faults=0),
        receipts_meet,
        a_receipt_is_repeated,
        partial(a_receipt_is_repeated, kind=ReceiptKind.DELIVERED),
        strangers_mark,
        a_receipt_meets_an_answer,
        both_write_first,
        a_first_message_is_asked_about,
        one_of_two_may_begin,
        a_user_writes_to_itself,
        a_user_comes_back,
        partial(a_user_comes_back, blocked=True),
        both_write_into_an_old_log,
        partial(both_write_into_an_old_log, age_ms=RETENTION_MS - HALF_AN_HOUR_MS),
        a_retry_into_an_old_log,
        both_write_when_all_has_expired,
        partial(both_write_when_all_has_expired, past_ms=-HALF_AN_HOUR_MS),
        partial(both_write_when_all_has_expired, leftovers=True),
        partial(both_write_when_all_has_expired, blocked=True),
        a_device_hears_when_all_has_expired,
        partial(a_device_hears_when_all_has_expired, connected=False),
        the_table_goes_back,
        partial(a_block_meets_sends, sends=1, faults=0),
        partial(a_block_meets_sends, sends=1, faults=0, unblocks=True),
        a_block_meets_a_look,
        a_retry_meets_blocks,
        a_blocker_writes,
        partial(a_blocker_writes, unblocks=False),
        a_block_meets_signs_of_life,
        a_block_meets_a_sync,
        an_arrival_meets_a_first_sync,
        partial(an_arrival_meets_a_first_sync, goes=True),
        partial(blocks_meet, faults=0),
        a_message_is_taken_back,
        partial(a_message_is_taken_back, faults=0, connects=True),
        partial(a_message_is_taken_back, faults=0, connects=True, held=2),
        two_devices_take_it_back,
        an_unsend_meets_a_send,
        a_half_sent_message_is_taken_back,
        a_retry_of_what_was_taken_back,
        a_receipt_meets_an_unsend,
        a_block_meets_an_unsend,
        nobody_takes_a_message,
        partial(nobody_takes_a_message, on_two_instances=True),
        partial(nobody_takes_a_message, connects=True),
        a_device_takes_a_message,
        a_block_meets_a_message_that_nobody_takes,
        a_departure_waits,
        partial(a_departure_waits, faults=1),
        partial(a_departure_waits, faults=1, returns=False),
        partial(a_departure_waits, dead=True, asks=0),
        partial(a_departure_waits, dead=True, returns=False, faults=1),
        partial(a_departure_waits, rounds=1, asks=0),
        partial(a_departure_waits, stays=False, asks=0),
        a_sync_is_late,
        partial(a_sync_is_late, returns=True, grace_ms=0),
        partial(a_sync_is_late, lost=True, grace_ms=0),
        partial(a_sync_is_late, lost=True, ends=False),
        a_token_ends,
        partial(a_token_ends, returns=True),
        a_connection_outlives_a_bar,
        an_erasure_meets_a_departure,
    ],
    ids=_name,
)
def test_no_schedule_breaks_a_promise(build: Build) -> None:
    _explore(build)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS)
@pytest.mark.parametrize(
    "build",
    [
        partial(sends_while_a_device_connects, sends=3),
        partial(a_push_meets_a_handshake, devices=2),
        partial(a_retry_on_another_instance, faults=2),
        a_retry_between_other_messages,
        partial(a_retry_behind_a_stale_tail, faults=2),
        partial(a_client_finds_its_message, faults=2),
        partial(a_receipt_meets_a_send, faults=2),
        partial(both_write_first, faults=1),
        partial(a_user_writes_to_itself, faults=2),
        partial(both_write_into_an_old_log, one_by_one=True),
        partial(a_retry_into_an_old_log, one_by_one=True),
        partial(a_retry_into_an_old_log, faults=1),
        partial(both_write_when_all_has_expired, leftovers=True, one_by_one=True),
        partial(both_write_when_all_has_expired, faults=1),
        partial(a_device_hears_when_all_has_expired, messages=3),
        partial(a_device_hears_when_all_has_expired, messages=3, connected=False),
        partial(the_table_goes_back, faults=1),
        partial(a_block_meets_sends, sends=1),
        partial(a_block_meets_sends, sends=1, unblocks=True),
        partial(a_block_meets_sends, faults=0),
        partial(a_retry_meets_blocks, faults=1),
        partial(a_blocker_writes, faults=1),
        partial(a_blocker_writes, faults=1, unblocks=False),
        partial(a_block_meets_signs_of_life, faults=1),
        partial(a_departure_waits, skewed=True),
        partial(a_departure_waits, asks=2, skewed=True),
        partial(a_departure_waits, rounds=1),
        partial(a_departure_waits, rounds=1, asks=0, faults=1),
        partial(a_departure_waits, dead=True),
        partial(a_departure_waits, stays=False),
        partial(a_sync_is_late, returns=True, asks=1, grace_ms=0),
        partial(a_sync_is_late, lost=True),
        partial(a_token_ends, asks=2, returns=True),
        partial(a_connection_outlives_a_bar, asks=2),
        partial(an_erasure_meets_a_departure, asks=1),
        blocks_meet,
        partial(a_message_is_taken_back, connects=True),
        partial(a_message_is_taken_back, faults=2),
        partial(two_devices_take_it_back, faults=1),
        partial(an_unsend_meets_a_send, faults=1),
        partial(a_half_sent_message_is_taken_back, connects=True),
        partial(a_half_sent_message_is_taken_back, faults=1),
        partial(a_retry_of_what_was_taken_back, faults=2),
        partial(a_receipt_meets_an_unsend, faults=2),
        partial(a_block_meets_an_unsend, faults=1),
        partial(nobody_takes_a_message, faults=2, on_two_instances=True),
        partial(nobody_takes_a_message, faults=2, connects=True),
        partial(a_device_takes_a_message, faults=2),
        partial(a_block_meets_a_message_that_nobody_takes, faults=1),
    ],
    ids=_name,
)
def test_no_longer_schedule_breaks_a_promise(build: Build) -> None:
    _explore(build)


@pytest.mark.parametrize(
    "build",
    [
        sends_while_a_device_connects,
        a_push_meets_a_handshake,
        a_device_that_was_taken_out_syncs,
        a_retry_on_another_instance,
        a_retry_heals_late,
        partial(a_receipt_meets_a_send, kind=ReceiptKind.DELIVERED, faults=0),
        a_receipt_meets_an_answer,
        partial(a_block_meets_sends, sends=1, faults=0),
        partial(a_block_meets_sends, sends=1, faults=0, unblocks=True),
    ],
    ids=_name,
)
def test_no_order_of_the_steps_of_calls_side_by_side_breaks_a_promise(build: Build) -> None:
    """Those of a send above all: it looks beside the append, and pushes beside the moves."""
    _explore(build, Code(any_order=True))


def test_a_retry_is_recognised_behind_more_messages_than_a_tail_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.TAIL_LENGTH", SHORT_TAIL)
    _explore(a_retry_far_behind)


@pytest.mark.parametrize(
    "build", [sends_while_a_device_connects, a_device_that_was_taken_out_syncs, a_push_meets_a_handshake], ids=_name
)
def test_a_chat_list_that_is_read_in_parts_hides_no_message(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.MOST_CHATS_READ", 1)
    _explore(build)


@pytest.mark.parametrize(
    "build", [sends_while_a_device_connects, a_device_that_was_taken_out_syncs, a_push_meets_a_handshake], ids=_name
)
def test_a_chat_list_that_is_read_on_behind_its_newest_hides_no_message(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.schedules.clients.PAGE", 1)
    _explore(build)


@pytest.mark.parametrize("faults", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_a_retry_and_its_first_try_are_one_whatever_comes_between(monkeypatch: pytest.MonkeyPatch, faults: int) -> None:
    monkeypatch.setattr("chat.conversations.TAIL_LENGTH", SHORT_TAIL)
    _explore(partial(a_retry_overtakes_its_first_try, faults=faults))


def _explore(build: Build, code: Code | None = None) -> None:
    explored = explore(build(code or Code()))
    print(f"{explored.schedules:,} schedules, {explored.states:,} states")
    assert explored.schedules > 1


@pytest.mark.parametrize(
    ("build", "code", "consequence"),
    [
        pytest.param(
            sends_while_a_device_connects,
            Code(routes=mutations.FirstLookOnly),
            "bob-phone misses .* although no push failed",
            id="nobody looks again after the moves",
        ),
        pytest.param(
            sends_while_a_device_connects,
            Code(routes=mutations.SecondLookTooEarly),
            "bob-phone misses .* although no push failed",
            id="a second look that does not wait for the moves",
        ),
        pytest.param(
            a_retry_on_another_instance,
            Code(routes=mutations.PushedBesideTheAppend),
            "a is pushed as number 3, and not stored",
            id="a push of what is not stored",
        ),
        pytest.param(
            sends_while_a_device_connects,
            Code(delivery=mutations.PushedIsTaken),
            "bob-phone misses .* although no push failed",
            id="a push taken for one that was taken",
        ),
        pytest.param(
            partial(a_block_meets_sends, sends=1, faults=0),
            Code(sessions=mutations.BlockersHearFirst),
            "alice is told of .*'message'.* while it was blocked",
            id="a push before the move that passes a block",
        ),
        pytest.param(
            partial(a_block_meets_sends, sends=1, faults=0),
            Code(sessions=mutations.FirstLookStale),
            "alice is told of .*'message'.* while it was blocked",
            id="a first look that is not consistent",
        ),
        pytest.param(
            a_user_comes_back,
            Code(sessions=mutations.KeptSinceTheFirstHandshake),
            "bob-phone is connected, and not among the sessions of its user",
            id="sessions kept since the first handshake",
        ),
        pytest.param(
            partial(a_user_comes_back, blocked=True),
            Code(sessions=mutations.BlockersExpire),
            "alice is told of .*'message'.* while it was blocked",
            id="sessions of a blocker that expire",
        ),
        pytest.param(
            a_retry_on_another_instance,
            Code(conversations=mutations.MovesBeforeAppend),
            "is beyond the log",
            id="moves before the append",
        ),
        pytest.param(
            a_retry_on_another_instance,
            Code(routes=mutations.DuplicateOnlyAcknowledged),
            "bob-phone misses",
            id="a duplicate is only acknowledged",
        ),
        pytest.param(
            sends_while_a_device_connects,
            Code(conversations=mutations.EventuallyConsistentSync),
            "bob-phone misses .* after its sync",
            id="an eventually consistent sync",
        ),
        pytest.param(
            a_block_meets_a_sync,
            Code(conversations=mutations.EventuallyConsistentSync),
            "alice is online for one whom it has blocked",
            id="presence by an eventually consistent list",
        ),
        pytest.param(
            an_arrival_meets_a_first_sync,
            Code(sessions=mutations.EventuallyConsistentPresence),
            "bob-phone has alice as away",
            id="an arrival that an eventually consistent read misses",
        ),
        pytest.param(
            partial(an_arrival_meets_a_first_sync, goes=True),
            Code(routes=mutations.AnnouncesAtHalfThePrice),
            "bob-phone has alice as there",
            id="a departure that is told by an eventually consistent read",
        ),
        pytest.param(
            a_departure_waits,
            Code(sessions=mutations.UntoldForLong),
            "bob has alice as away",
            id="an arrival that is not told for longer than a departure is not shown",
        ),
        pytest.param(
            partial(a_departure_waits, skewed=True),
            Code(sessions=mutations.NoTimeForClocks),
            "bob has alice as away",
            id="an arrival that is not told for as long as a departure is not shown",
        ),
        pytest.param(
            a_departure_waits,
            Code(sessions=mutations.AskedForTheTruth),
            "bob has alice as away",
            id="a departure that is shown and not told",
        ),
        pytest.param(
            a_departure_waits,
            Code(sessions=mutations.ShownAsGone),
            "bob is told two things of one revision",
            id="who may return shown with the revision of its departure",
        ),
        pytest.param(
            partial(a_departure_waits, dead=True, asks=0),
            Code(sessions=mutations.PrunedMayReturn),
            "bob has alice as away",
            id="a departure that is told at once and an arrival that is not told",
        ),
        pytest.param(
            partial(a_departure_waits, asks=0),
            Code(sessions=mutations.DepartureToldUnseen),
            "bob has alice as away",
            id="a departure that is told without another look",
        ),
        pytest.param(
            partial(a_departure_waits, rounds=1, asks=0),
            Code(sessions=mutations.AnyDepartureTold),
            "bob has alice as away",
            id="a departure that is told in the grace of a later one",
        ),
        pytest.param(
            partial(a_departure_waits, stays=False, asks=0),
            Code(sessions=mutations.DepartureToldOnce),
            "bob has alice as there",
            id="one departure queued for two",
        ),
        pytest.param(
            a_sync_is_late,
            Code(delivery=mutations.RestoresUnseen),
            "alice-phone is gone, and among the sessions",
            id="an entry that is put back behind the end of its connection",
        ),
        pytest.param(
            a_sync_is_late,
            Code(routes=mutations.RestoresWhatWasThere),
            "alice-phone is gone, and among the sessions",
            id="a look whether a connection is there before its entry is put back",
        ),
        pytest.param(
            partial(a_sync_is_late, returns=True, grace_ms=0),
            Code(routes=mutations.TellsOnlyTheLastChange),
            "bob has alice as away",
            id="an arrival that an entry hid which is taken out again",
        ),
        pytest.param(
            partial(a_sync_is_late, lost=True, ends=False),
            Code(sessions=mutations.RestoredInSilence),
            "bob has alice as away",
            id="an entry that is put back and not told of",
        ),
        pytest.param(
            a_token_ends,
            Code(sessions=mutations.ReturnsUntilAnotherEnds),
            "bob has alice as there",
            id="a grace that begins while another device stays",
        ),
        pytest.param(
            a_connection_outlives_a_bar,
            Code(sessions=mutations.ReturnsAfterABar),
            "bob has alice as away",
            id="a grace for who was away while it was barred",
        ),
        pytest.param(
            an_erasure_meets_a_departure,
            Code(sessions=mutations.ErasedInSilence),
            "bob has alice as there",
            id="a departure that waits for longer than its user is known",
        ),
        pytest.param(
            a_retry_into_an_old_log,
            Code(conversations=mutations.LogBeforeChats),
            "a is stored 2 times",
            id="the log read before the chat items",
        ),
        pytest.param(
            both_write_into_an_old_log,
            Code(conversations=mutations.OldLogAsAnyOther),
            "is given out twice",
            id="the newest message found taken for the newest",
        ),
        pytest.param(
            both_write_when_all_has_expired,
            Code(conversations=mutations.NothingHeld),
            "the numbers of .* begin again",
            id="a number from which somebody goes on that nobody holds",
        ),
        pytest.param(
            both_write_when_all_has_expired,
            Code(conversations=mutations.HeldUnseen),
            "the numbers of .* begin again",
            id="a chat item that is held though it is gone",
        ),
        pytest.param(
            partial(both_write_when_all_has_expired, leftovers=True),
            Code(conversations=mutations.BegunOverWhatIsLeft),
            "the numbers of .* begin again",
            id="numbers that begin over what is left",
        ),
        pytest.param(
            partial(both_write_when_all_has_expired, blocked=True),
            Code(blocking=mutations.BlockedChatsExpire),
            "Alice's chat item says .*, and Bob's",
            id="chat items that expire though they hide messages",
        ),
        pytest.param(
            partial(a_device_hears_when_all_has_expired, client=ForgetsNothing),
            Code(),
            "misses .* before its heartbeat",
            id="a client that does not forget what has expired",
        ),
        pytest.param(
            both_write_first,
            Code(conversations=mutations.FirstMessageOvertaken),
            "does not say that .* has written",
            id="a first message that was overtaken",
        ),
        pytest.param(
            partial(a_kick_meets_a_handshake, kick=mutations.closes_and_then_bars),
            Code(),
            "bob-laptop is open, although its user was kicked",
            id="a kick that closes before it bars",
        ),
        pytest.param(
            partial(a_kick_meets_a_handshake, kick=mutations.closes_once),
            Code(),
            "bob-laptop is open, although its user was kicked",
            id="a kick that does not wait for a handshake",
        ),
        pytest.param(
            a_receipt_is_repeated,
            Code(conversations=mutations.ReceiptsUnstamped),
            "alice-laptop misses Marked.* after its sync",
            id="a receipt that does not change the chat",
        ),
        pytest.param(
            strangers_mark,
            Code(conversations=mutations.ReceiptsForStrangers),
            "is told of receipt of .*, a stranger",
            id="a receipt that a stranger is told of",
        ),
        pytest.param(
            partial(the_table_goes_back, client=OneHistory),
            Code(),
            "misses .* after its sync",
            id="a client that takes two histories for one",
        ),
        pytest.param(
            a_first_message_is_asked_about,
            Code(conversations=mutations.AskedBehindTheMessage),
            "nobody has said that alice may begin",
            id="a rule that is asked behind the message",
        ),
        pytest.param(
            partial(a_first_message_is_asked_about, faults=0),
            Code(conversations=mutations.AskedEachTime),
            "it is asked again whether alice may write to bob",
            id="a rule that is asked for each try",
        ),
        pytest.param(
            the_table_goes_back,
            Code(routes=mutations.OneEpoch),
            "misses .* after its sync",
            id="a server that names one epoch for two histories",
        ),
        pytest.param(
            partial(a_block_meets_sends, sends=1, faults=0),
            Code(conversations=mutations.HiddenOnlyFromHistory),
            "alice is told of .*'message'.* while it was blocked",
            id="a chat that a blocked user moves",
        ),
        pytest.param(
            a_block_meets_a_look,
            Code(conversations=mutations.HiddenReadBeforeTheLog),
            "alice-phone has .*'message'.*, of while it was blocked",
            id="what is hidden read before the log",
        ),
        pytest.param(
            partial(a_block_meets_sends, sends=1, faults=0, unblocks=True),
            Code(conversations=mutations.UnblockedAtTheEnd),
            "is neither hidden nor in the chat list",
            id="an unblocking that does not look again",
        ),
        pytest.param(
            a_blocker_writes,
            Code(conversations=mutations.OwnMessagesHidden),
            "is hidden from her who wrote it|alice-tablet misses|is neither hidden nor in the chat list",
            id="a message hidden from its own writer",
        ),
        pytest.param(
            a_block_meets_signs_of_life,
            Code(blocking=mutations.OnlyHidden),
            "alice is told of typing, which bob did while it was blocked",
            id="a peer's item that does not say that it is blocked",
        ),
        pytest.param(
            partial(blocks_meet, faults=0),
            Code(blocking=mutations.LastToSaySo),
            "Alice's chat item says .*, and Bob's",
            id="changes of who is blocked that are not numbered",
        ),
        pytest.param(
            partial(a_message_is_taken_back, faults=0, connects=True),
            Code(conversations=mutations.TextRemovedLast),
            "bob-laptop reads the text of 2, which was taken back",
            id="a text that is removed last",
        ),
        pytest.param(
            partial(a_message_is_taken_back, faults=0, connects=True, held=2),
            Code(routes=mutations.OnlyATombstone),
            "misses Sent.*'unsend 2'.* after its sync",
            id="a taking back that is in no chat list",
        ),
        pytest.param(
            two_devices_take_it_back,
            Code(conversations=mutations.UnsendAppendedAnyTime),
            "unsend 2 is pushed as number 3, and not stored",
            id="a taking back without an id",
        ),
        pytest.param(
            a_retry_of_what_was_taken_back,
            Code(conversations=mutations.TextFromStaleTail),
            "bob gets the text of 3, which was taken back",
            id="a retry that reads a stale text",
        ),
        pytest.param(
            nobody_takes_a_message,
            Code(routes=mutations.EventsOfFirstTries),
            "was taken by nobody, and the product does not know",
            id="an event for first tries alone",
        ),
        pytest.param(
            nobody_takes_a_message,
            Code(routes=mutations.ConnectedIsTaken),
            "was taken by nobody, and the product does not know",
            id="a connection taken for a device that has the message",
        ),
        pytest.param(
            a_device_takes_a_message,
            Code(routes=mutations.EventsOfAllMessages),
            "which a device of the recipient has",
            id="an event for every message",
        ),
        pytest.param(
            a_block_meets_a_message_that_nobody_takes,
            Code(routes=mutations.EventsOfBlocked),
            "is told of, although the recipient has blocked its sender",
            id="an event of a blocked user",
        ),
        pytest.param(
            partial(a_client_finds_its_message, finding_is_enough=True),
            Code(),
            "bob-phone misses .* after its sync",
            id="a client that takes a message in the log as delivered",
        ),
    ],
)
def test_a_mutation_is_found(build: Build, code: Code, consequence: str) -> None:
    _assert_found(build, code, consequence)


@pytest.mark.parametrize("most", ["chat.conversations.MOST_CHATS_READ", "tests.schedules.clients.PAGE"])
def test_a_part_of_a_list_that_is_read_before_senders_see_the_connection_is_found(
    monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    monkeypatch.setattr(most, 1)
    code = Code(routes=mutations.PartsBeforeRegistering)
    _assert_found(a_device_that_was_taken_out_syncs, code, "bob-phone misses .* although no push failed")


def test_a_410_that_prunes_a_fresh_connection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.delivery.OPENING_MS", -1)
    _assert_found(a_push_meets_a_handshake, Code(), "bob-phone is connected, and not among the sessions")


def test_a_receipt_of_a_blocked_user_that_moves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.ACQUAINTED", [AtLeast(WROTE, 1), AtLeast(PEER_WROTE, 1)])
    _assert_found(a_block_meets_signs_of_life, Code(), "alice-phone has .*'receipt'.*, of while it was blocked")


def test_a_heartbeat_that_goes_by_the_time_of_the_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.chats.chat_of", mutations.changed_when_sent)
    _assert_found(a_retry_heals_late, Code(), "bob-phone misses .* after its sync")


def test_a_tail_that_is_not_read_far_enough_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.conversations.TAIL_LENGTH", SHORT_TAIL)
    _assert_found(a_retry_far_behind, Code(conversations=mutations.TailReadOnce), "a is stored 2 times")


@pytest.mark.parametrize("code", [mutations.AmongEightOnly, mutations.FirstTriesAmongEightOnly])
def test_a_message_that_is_looked_for_among_the_newest_only_is_found(
    monkeypatch: pytest.MonkeyPatch, code: type[Conversations]
) -> None:
    monkeypatch.setattr("chat.conversations.TAIL_LENGTH", SHORT_TAIL)
    _assert_found(a_retry_overtakes_its_first_try, Code(conversations=code), "a is stored 2 times")


def _assert_found(build: Build, code: Code, consequence: str) -> None:
    with pytest.raises(ScheduleFailed, match=consequence) as found:
        explore(build(code))
    print(found.value)
