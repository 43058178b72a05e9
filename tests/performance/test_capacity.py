"""What a number of users costs: the model's counts are the measured ones, and its sums add up."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bench import growth
from bench.capacity import FIXED, PLOTTED, Audience, BadUsage, Load, audience, model, report
from bench.cost import CHATS, SYNC, SYNC_WITH_PRESENCE, Cost
from bench.functions import TEXT
from bench.month import COUNTED, counts
from chat.conversations import Conversations
from chat.messages import item_of
from chat.protocol import HEARTBEAT_MS, Message, Receipt, ReceiptKind
from chat.table import Item, chat_key
from local.emulator import PROJECT
from parley.hints import IN_SIGHT
from stacks.routes import throttles
from stacks.settings import ChatSettings
from tests.costs.meter import READ_UNIT, item_size
from tests.fakes.clock import RETENTION_MS, ManualClock
from tests.fakes.memory import MemoryTable, serially
from tests.hang import HANG_SECONDS

MILLION_USERS = Audience()
DYNAMODB_BYTES = 100
"""That DynamoDB adds to each item that it keeps, and bills."""

AT_A_TIME = "Lambda's functions at a time: their seconds"
ALICE, BOB = "0b7c1f6e-52a4-4c58-9d0e-7f3a1b2c4d5e", "6f9619ff-8b86-4011-b42d-00c04fc964ff"


@pytest.mark.parametrize("action", COUNTED)
def test_the_counts_are_the_measured_ones(action: str, found: Mapping[str, Cost]) -> None:
    assert {"invocations": 1, "beside_pushes": 0, **model().figures["counted"][action]} == counts(found)[action]


def test_presence_asked_with_a_sync_costs_a_read_a_chat_and_no_trip(found: Mapping[str, Cost]) -> None:
    alone, beside = found[SYNC].bill, found[SYNC_WITH_PRESENCE].bill
    assert beside.read_units - alone.read_units == CHATS * model().of("counted", "read_units_a_partner")
    assert beside.table_round_trips == alone.table_round_trips


@pytest.fixture(scope="module")
def chat_item() -> Item:
    """The chat of two who have both written, read and got a hundred messages, as the code stores it."""
    table = MemoryTable()
    log = Conversations(table, retention_ms=RETENTION_MS, clock=ManualClock(), parallel=serially)
    for number in range(100):
        sender, to = (ALICE, BOB) if number % 2 else (BOB, ALICE)
        log.advance(log.append(sender, to, f"{number}", "hi").message)
    for user, peer in ((ALICE, BOB), (BOB, ALICE)):
        for kind in (ReceiptKind.DELIVERED, ReceiptKind.READ):
            log.mark(user, Receipt(None, peer, kind, 100))
    key = chat_key(ALICE, BOB)
    return table.get([key])[key]


def test_a_chat_of_the_model_is_as_long_as_one_that_the_code_stores(chat_item: Item) -> None:
    assert model().of("counted", "read_units_a_chat") == round(item_size(chat_item) / READ_UNIT, 3)


def test_a_message_of_the_model_is_as_long_as_one_that_the_code_stores_is_billed_for() -> None:
    now = 1_800_000_000_000
    stored = item_of(Message(ALICE, BOB, 100, f"{uuid.UUID(int=1)}", TEXT, now, expires=now + RETENTION_MS))
    assert model().of("usage", "bytes_a_message") == item_size(stored) + DYNAMODB_BYTES


def test_a_chat_of_the_row_growth_has_what_one_that_the_code_stores_has(chat_item: Item) -> None:
    assert growth._chat(ALICE, BOB, 100).keys() == chat_item.keys()


def test_the_settings_are_those_of_the_code() -> None:
    known, stage = model(), ChatSettings()
    assert known.setting("heartbeat_minutes") == HEARTBEAT_MS / 60_000
    assert known.setting("announced_chats") == stage.announced_chats
    assert known.setting("grace_seconds") == stage.grace_seconds
    assert known.setting("presence_asked") == IN_SIGHT
    limits = throttles(stage.throttle, stage.rates)
    for name, quota in known.figures["quotas"].items():
        if name.startswith("the stack's own throttle"):
            route = name.split("`")[1]
            assert quota["a_second"] == limits.get(route, stage.throttle).rate


def test_the_features_come_to_the_whole_bill() -> None:
    known = model()
    price = known.frame_price(MILLION_USERS)
    by_feature = sum(sum(known.dollars(load, price).values()) for load in known.features(MILLION_USERS).values())
    by_service = known.month(MILLION_USERS)
    fixed = by_service["storage and recovery"] + by_service[FIXED]
    assert by_feature * MILLION_USERS.users * 30.4 == pytest.approx(sum(by_service.values()) - fixed)


def test_the_quotas_are_told_in_the_order_in_which_they_are_met() -> None:
    limits = model().limits(MILLION_USERS)
    assert len(limits) == len(model().figures["quotas"])
    assert [users for _, users, _ in limits] == sorted(users for _, users, _ in limits)


def test_as_many_functions_run_at_a_time_as_the_invocations_of_a_second_take_seconds() -> None:
    known = model()
    load = sum(known.features(MILLION_USERS).values(), Load())
    met = {name: users for name, users, _ in known.limits(MILLION_USERS)}[AT_A_TIME]
    a_second = met * load.milliseconds / 1_000 / 86_400 * known.of("usage", "peak_over_mean")
    assert a_second == pytest.approx(known.figures["quotas"][AT_A_TIME]["a_second"])


def test_more_of_anything_costs_more_and_meets_quotas_earlier() -> None:
    known, before = model(), MILLION_USERS
    least = {name: users for name, users, _ in known.limits(before)}
    for more in (replace(before, messages_per_day=40), replace(before, devices=3), replace(before, chats=80)):
        assert sum(known.month(more).values()) > sum(known.month(before).values())
        assert all(users <= least[name] for name, users, _ in known.limits(more))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, Audience()),
        ({"USERS": ""}, Audience()),
        (
            {"USERS": "1_000", "MESSAGES_PER_DAY": "0.5", "DEVICES": "1.5", "CHATS": "7"},
            Audience(1_000, 0.5, 1.5, 7),
        ),
    ],
)
def test_what_is_not_said_is_as_usual(given: dict[str, str], meant: Audience) -> None:
    assert audience(given) == meant


@pytest.mark.parametrize(
    "given", [{"USERS": "many"}, {"USERS": "0"}, {"CHATS": "-1"}, {"DEVICES": "nan"}, {"USERS": "inf"}]
)
def test_what_is_not_a_number_is_said_so(given: dict[str, Any]) -> None:
    ((name, text),) = given.items()
    with pytest.raises(BadUsage, match=f"^{name} is not a number from 1 to 10,000,000,000: '{text}'$"):
        audience(given)


def test_a_million_users_are_explained() -> None:
    text = "\n".join(report(MILLION_USERS))
    for part in ("1,000,000 users", "cents a user", "By service", "By feature", "to be raised", "saves the most"):
        assert part in text


def test_the_command_says_in_a_sentence_what_is_wrong() -> None:
    environment = os.environ | {"USERS": "many"}
    command = [sys.executable, "-m", "bench.capacity"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: USERS is not a number from 1 to 10,000,000,000: 'many'\n"


def test_the_plot_shows_what_more_users_cost_and_meet() -> None:
    lines = list(report(MILLION_USERS))
    bars = [line for line in lines if "▇" in line]
    dollars = [float(line.partition("$")[2].partition(",  ")[0].split(", ")[0].replace(",", "")) for line in bars]

    assert [int(line.split()[0].replace(",", "")) for line in bars] == list(PLOTTED)
    assert [line.count("▇") for line in bars] == sorted(line.count("▇") for line in bars)
    assert dollars == sorted(dollars)
    (total,) = (
        float(line.split()[0].strip("$").replace(",", "")) for line in lines if " a month, " in line and "$" in line
    )
    assert dollars[PLOTTED.index(MILLION_USERS.users)] == total
    assert "quotas to be raised" in bars[-1]
