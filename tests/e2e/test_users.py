"""What an operator does for one user, on the deployed stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import websockets.exceptions

from chat.table import SESSIONS
from local.deployment import Endpoint
from local.users import on_this_machine, run_erase, run_export, run_kick
from tests.conftest import Connect

HOUR = 60


def test_a_user_that_is_kicked_is_out_and_stays_out_for_as_long_as_it_is_barred(
    connect: Connect, endpoint: Endpoint, alice: str, bob: str, capsys: pytest.CaptureFixture[str]
) -> None:
    phone, laptop, other = connect(alice), connect(alice), connect(bob)
    deployed = on_this_machine(endpoint)

    run_kick(deployed, alice, HOUR)

    assert f"Closed connections of {alice}: 2." in capsys.readouterr().out
    for device in (phone, laptop):
        close = device.receive(type="close")
        assert (close["code"], close["temporary"]) == ("kicked", False)
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            device.ask("ping")
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(alice)
    assert refused.value.response.status_code in {403, 429}
    assert other.ask("send", to=alice, text="hi")["delivered"] == 0
    connect(bob)


def test_a_bar_can_be_lifted(connect: Connect, endpoint: Endpoint, alice: str) -> None:
    deployed = on_this_machine(endpoint)
    run_kick(deployed, alice, HOUR)

    run_kick(deployed, alice, 0)

    assert connect(alice).ask("ping")["type"] == "pong"


def test_an_export_has_all_that_is_kept_of_a_user_and_nothing_else(
    connect: Connect, endpoint: Endpoint, alice: str, bob: str, tmp_path: Path
) -> None:
    device, other = connect(alice), connect(bob)
    device.ask("send", to=bob, text="hello bob")
    other.ask("send", to=alice, text="hello alice")
    other.ask("send", to=bob, text="a note of bob's")
    file = tmp_path / "alice.jsonl"

    run_export(on_this_machine(endpoint), alice, file)

    items = [json.loads(line) for line in file.read_text().splitlines()]
    assert [item["text"] for item in items if "text" in item] == ["hello bob", "hello alice"]
    assert sorted(item["sk"] for item in items if "text" not in item) == [f"CHAT#{bob}", SESSIONS]
    assert file.stat().st_mode & 0o077 == 0


def test_a_user_that_is_erased_has_said_nothing_and_others_go_on(
    connect: Connect, endpoint: Endpoint, alice: str, bob: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device, other = connect(alice), connect(bob)
    device.ask("send", to=bob, text="hello bob")
    other.ask("send", to=alice, text="hello alice")
    deployed = on_this_machine(endpoint)

    run_erase(deployed, alice)

    assert f"{alice} is erased. Messages whose text was removed: 1. Chats removed: 1." in capsys.readouterr().out
    with pytest.raises(websockets.exceptions.ConnectionClosed):
        device.ask("ping")
    assert list(deployed.export(alice)) == []
    first, second = other.ask("history", peer=alice)["messages"]
    assert (first["text"], first["unsent"] > 0, second["text"]) == ("", True, "hello alice")
    assert other.ask("send", to=alice, text="where are you?")["seq"] == 3
    (chat,) = (chat for chat in other.ask("sync")["chats"] if chat["peer"] == alice)
    assert chat["seq"] == 3
