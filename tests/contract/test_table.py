"""What each of the four calls of a table does, whatever table it is."""

from __future__ import annotations

from typing import Any

import pytest

from chat.dynamo import DynamoTable
from chat.table import AtLeast, Below, Condition, Item, Key, Present, Query, Table, Update, Updated
from tests.fakes.engines import Engine

KEY = Key("USER#alice", "SESSIONS")
KEYS = {"pk": KEY.pk, "sk": KEY.sk}
PARTITION = "CHAT#alice#bob"


def fill(table: Table, *sort_keys: str, pk: str = PARTITION) -> None:
    for sk in sort_keys:
        assert table.insert({"pk": pk, "sk": sk})


def sort_keys(table: Table, **arguments: Any) -> list[str | int]:
    return [item["sk"] for item in table.query(Query(PARTITION, **arguments))]


def stored(table: Table, key: Key = KEY) -> dict[str, str | int] | None:
    item = table.get([key]).get(key)
    return None if item is None else dict(item)


# insert


def test_insert_stores_the_item_as_it_is(table: Table) -> None:
    item: Item = {**KEYS, "text": "hi", "ts": 1_800_000_000_000, "zero": 0, "negative": -1, "largest": 2**53 - 1}

    assert table.insert(item)

    assert stored(table) == item


def test_a_second_insert_under_the_same_key_changes_nothing(table: Table) -> None:
    table.insert({**KEYS, "text": "first"})

    assert not table.insert({**KEYS, "text": "second", "more": 1})

    assert stored(table) == {**KEYS, "text": "first"}


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, 世界 👋🏽",
        'a "quote", a \\ and a / ',
        "line\nbreak\r\n\ttab",
        "\x00\x01\x1f\x7f\u2028\ufeff",
        '{"S": "not an attribute"}',
        " ",
        "<script>&amp;",
        "e\u0301 is not é",
    ],
)
def test_text_comes_back_as_it_went_in(table: Table, text: str) -> None:
    table.insert({**KEYS, "text": text})

    assert stored(table) == {**KEYS, "text": text}


# get


def test_get_returns_what_there_is_under_its_keys(table: Table) -> None:
    fill(table, "MSG#1", "MSG#2")
    keys = [Key(PARTITION, "MSG#1"), Key(PARTITION, "MSG#3"), Key("CHAT#nobody", "MSG#1")]

    assert table.get(keys) == {keys[0]: {"pk": PARTITION, "sk": "MSG#1"}}


def test_get_of_nothing_is_nothing(table: Table) -> None:
    assert table.get([]) == {}


def test_get_takes_a_key_twice(table: Table) -> None:
    fill(table, "MSG#1")
    key = Key(PARTITION, "MSG#1")

    assert list(table.get([key, key])) == [key]


def test_get_takes_a_hundred_keys(table: Table) -> None:
    names = [f"MSG#{number:03d}" for number in range(100)]
    fill(table, *names)

    assert len(table.get([Key(PARTITION, name) for name in names])) == 100


def test_get_without_consistency_finds_what_was_there_before(table: Table) -> None:
    fill(table, "MSG#1")

    assert list(table.get([Key(PARTITION, "MSG#1")], consistent=False)) == [Key(PARTITION, "MSG#1")]


# query


def test_query_returns_one_partition_in_order(table: Table) -> None:
    fill(table, "MSG#2", "MSG#1", "MSG#3")
    fill(table, "MSG#1", pk="CHAT#alice#carol")

    assert sort_keys(table) == ["MSG#1", "MSG#2", "MSG#3"]


def test_query_of_an_empty_partition_is_empty(table: Table) -> None:
    assert table.query(Query("USER#nobody")) == []


def test_order_is_that_of_the_bytes(table: Table) -> None:
    fill(table, "a", "B", "_", "1", "|", "~")

    assert sort_keys(table) == ["1", "B", "_", "a", "|", "~"]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("MSG#2", "MSG#4", ["MSG#2", "MSG#3", "MSG#4"]),
        ("MSG#3", "MSG#3", ["MSG#3"]),
        ("MSG#0", "MSG#9", ["MSG#1", "MSG#2", "MSG#3", "MSG#4", "MSG#5"]),
        ("MSG#6", "MSG#9", []),
        ("A", "Z", ["MSG#1", "MSG#2", "MSG#3", "MSG#4", "MSG#5"]),
    ],
)
def test_both_bounds_are_inclusive(table: Table, first: str, last: str, expected: list[str]) -> None:
    fill(table, *(f"MSG#{number}" for number in range(1, 6)))

    assert sort_keys(table, first=first, last=last) == expected
    assert sort_keys(table, first=first, last=last, newest_first=True) == expected[::-1]


@pytest.mark.parametrize(
    ("newest_first", "limit", "expected"),
    [
        (False, 2, ["MSG#1", "MSG#2"]),
        (True, 2, ["MSG#3", "MSG#2"]),
        (False, 3, ["MSG#1", "MSG#2", "MSG#3"]),
        (True, 9, ["MSG#3", "MSG#2", "MSG#1"]),
    ],
)
def test_limit_cuts_from_where_the_query_starts(
    table: Table, newest_first: bool, limit: int, expected: list[str]
) -> None:
    fill(table, "MSG#1", "MSG#2", "MSG#3")

    assert sort_keys(table, newest_first=newest_first, limit=limit) == expected


def test_limit_counts_within_the_bounds(table: Table) -> None:
    fill(table, *(f"MSG#{number}" for number in range(1, 6)))

    assert sort_keys(table, first="MSG#1", last="MSG#3", newest_first=True, limit=2) == ["MSG#3", "MSG#2"]


def test_query_without_consistency_finds_what_was_there_before(table: Table) -> None:
    fill(table, "MSG#1")

    assert sort_keys(table, consistent=False) == ["MSG#1"]


LARGE = "x" * 150_000


def fill_two_pages(table: Table) -> list[str]:
    names = [f"MSG#{number:02d}" for number in range(12)]
    for name in names:
        table.insert({"pk": PARTITION, "sk": name, "text": LARGE})
    return names


def test_query_goes_on_beyond_a_megabyte(table: Table) -> None:
    names = fill_two_pages(table)

    assert sort_keys(table) == names
    assert sort_keys(table, newest_first=True) == names[::-1]


def test_limit_holds_beyond_a_megabyte(table: Table) -> None:
    names = fill_two_pages(table)

    assert sort_keys(table, limit=10) == names[:10]
    assert sort_keys(table, first=names[1], last=names[11], newest_first=True, limit=10) == names[:1:-1]


def test_the_engine_does_cut_a_page_at_a_megabyte(engine: Engine) -> None:
    """Without this, the two tests above would prove nothing."""
    name = engine.create_table()
    fill_two_pages(DynamoTable(engine.shared, name))

    page = engine.shared.query(
        TableName=name, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": PARTITION}}
    )

    assert "LastEvaluatedKey" in page
    assert len(page["Items"]) < 12


# update


def test_update_creates_the_item(table: Table) -> None:
    assert table.update(KEY, Update(put={"seq": 1, "name": "x"}, add={"rev": 1})) == Updated(True, {})

    assert stored(table) == {**KEYS, "seq": 1, "name": "x", "rev": 1}


def test_update_returns_the_item_as_it_was(table: Table) -> None:
    table.update(KEY, Update(put={"seq": 1, "name": "x"}))

    assert table.update(KEY, Update(put={"seq": 2})) == Updated(True, {**KEYS, "seq": 1, "name": "x"})


def test_put_replaces_add_adds_and_remove_removes(table: Table) -> None:
    table.update(KEY, Update(put={"kept": 1, "replaced": 1, "removed": 1, "added": 5}))

    table.update(KEY, Update(put={"replaced": 2, "new": "x"}, add={"added": 2, "counter": 1}, remove=["removed"]))

    assert stored(table) == {**KEYS, "kept": 1, "replaced": 2, "new": "x", "added": 7, "counter": 1}


def test_what_is_added_to_starts_where_it_is_told_to_if_it_is_not_there(table: Table) -> None:
    counted = Update(add={"counter": 1}, start={"counter": 40})
    table.update(KEY, counted)
    table.update(KEY, counted)

    assert stored(table) == {**KEYS, "counter": 42}


def test_a_start_counts_for_what_is_not_a_number(table: Table) -> None:
    table.update(KEY, Update(put={"counter": "many"}))

    table.update(KEY, Update(add={"counter": 1, "other": 1}, start={"counter": 40}))

    assert stored(table) == {**KEYS, "counter": 41, "other": 1}


def test_removing_what_is_not_there_does_nothing(table: Table) -> None:
    table.update(KEY, Update(put={"seq": 1}))

    assert table.update(KEY, Update(remove=["absent", "also_absent"])).made

    assert stored(table) == {**KEYS, "seq": 1}


@pytest.mark.parametrize(
    "name",
    ["@L0SM9cOFvHcCIhw=", "@a+b/c=", "read", "ttl", "from", "changed", "name", "size", "a.b", "a-b", "#a", ":a", "Ünï"],
)
def test_an_attribute_may_have_any_name(table: Table, name: str) -> None:
    """Connection ids end in `=`, and several of ours are reserved words in DynamoDB's expressions."""
    assert table.update(KEY, Update(put={name: 1})).made
    assert table.update(KEY, Update(add={name: 1}, only_if=[Present(name), AtLeast(name, 1)])).made
    assert stored(table) == {**KEYS, name: 2}

    assert table.update(KEY, Update(remove=[name], only_if=[Present(name)])).made

    assert stored(table) == KEYS


@pytest.mark.parametrize(
    ("condition", "holding"),
    [
        (Present("seq"), {4, 5, 6}),
        (Below("seq", 5), {None, 4}),
        (AtLeast("seq", 5), {5, 6}),
    ],
    ids=str,
)
@pytest.mark.parametrize("number", [None, 4, 5, 6])
def test_a_condition_decides(table: Table, condition: Condition, holding: set[int | None], number: int | None) -> None:
    table.update(KEY, Update(put={"other": 1} if number is None else {"seq": number}))

    assert table.update(KEY, Update(put={"changed": 1}, only_if=[condition])).made is (number in holding)


CONDITIONS: list[tuple[Condition, bool]] = [
    (Present("seq"), True),
    (Present("absent"), False),
    (Below("seq", 6), True),
    (Below("seq", 5), False),
    (Below("absent", 0), True),
    (AtLeast("seq", 5), True),
    (AtLeast("seq", 6), False),
    (AtLeast("absent", 0), False),
]


@pytest.mark.parametrize(("one", "one_holds"), CONDITIONS, ids=str)
def test_all_conditions_must_hold(table: Table, one: Condition, one_holds: bool) -> None:
    for other, other_holds in CONDITIONS:
        table.update(KEY, Update(put={"seq": 5}))

        made = table.update(KEY, Update(put={"changed": 1}, only_if=[one, other])).made

        assert made is (one_holds and other_holds), other


def test_numbers_are_compared_as_numbers(table: Table) -> None:
    table.update(KEY, Update(put={"seq": 9}))

    assert table.update(KEY, Update(put={"seq": 10}, only_if=[Below("seq", 10)])).made
    assert not table.update(KEY, Update(put={"seq": 9}, only_if=[Below("seq", 9)])).made


def test_a_refused_update_changes_nothing_and_returns_the_item(table: Table) -> None:
    table.update(KEY, Update(put={"seq": 5, "name": "x"}))
    refused = Update(put={"seq": 4}, add={"rev": 1}, remove=["name"], only_if=[Below("seq", 4)])

    assert table.update(KEY, refused) == Updated(False, {**KEYS, "seq": 5, "name": "x"})

    assert stored(table) == {**KEYS, "seq": 5, "name": "x"}


def test_a_refused_update_creates_nothing(table: Table) -> None:
    assert table.update(KEY, Update(put={"seq": 1}, only_if=[Present("seq")])) == Updated(False, {})

    assert stored(table) is None


def test_conditions_look_at_the_item_as_it_was(table: Table) -> None:
    table.update(KEY, Update(put={"seq": 5}))

    assert not table.update(KEY, Update(put={"rev": 1}, only_if=[Present("rev")])).made
    assert table.update(KEY, Update(remove=["seq"], only_if=[Present("seq")])).made


def test_an_item_that_is_deleted_is_gone_and_no_other(table: Table) -> None:
    other = Key(KEY.pk, f"{KEY.sk}-2")
    for key in (KEY, other):
        table.update(key, Update(put={"seq": 1}))

    assert table.delete(KEY)
    assert not table.delete(KEY)

    assert list(table.get([KEY, other])) == [other]
