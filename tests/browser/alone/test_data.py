"""What the page shows of data that it does not know."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import Shoot
from tests.browser.person import Person

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HOSTILE: dict[str, Any] = {
    MARKUP: MARKUP,
    "link": "javascript:document.title='owned'",
    "direction": "\u202egnp.exe\u2066",
    "lines": "a\nb\x00\x1b[2J",
    "constructor": {"prototype": [MARKUP]},
}


def says(server: FakeServer, text: str, data: dict[str, Any], sender: str = "bob") -> None:
    message, _ = server.chat.store(sender, "alice" if sender == "bob" else "bob", text)
    message["data"] = data
    server.push({"type": "message", **message})


def lines(person: Person) -> list[str]:
    return person.page.locator(".data .line").all_inner_texts()


def test_a_card_stands_beneath_a_text_or_in_its_place(open_alone: OpenAlone, server: FakeServer, shoot: Shoot) -> None:
    at_alice = open_alone("bob")
    says(server, "Your parcel has left.", {"order": 17, "parts": [{"name": "tea", "gift": True}, None]})
    says(server, "", {"like": 1}, sender="alice")
    expect(at_alice.page.locator(".data")).to_have_count(2)
    assert lines(at_alice) == ["order: 17", "parts:", "-", "name: tea", "gift: true", "- null", "like: 1"]
    expect(at_alice.page.locator(".bubble").first).to_contain_text("Your parcel has left.")
    expect(at_alice.line("bob")).to_contain_text("You: Data")
    says(server, "", {"order": 17})
    expect(at_alice.page.locator("#announcer")).to_contain_text("bob: Data")
    shoot(at_alice)


def test_data_is_text_whatever_it_is(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    says(server, "", HOSTILE)
    expect(at_alice.page.locator(".data .line")).to_have_count(7)
    assert lines(at_alice)[0] == f"{MARKUP}: {MARKUP}"[:120] + "…"
    assert lines(at_alice)[3] == "lines: a b [2J"
    expect(at_alice.page.locator(".data img, .data script, .data a")).to_have_count(0)
    assert "owned" not in at_alice.page.title()


def test_a_card_is_bounded_and_moves_nothing_out_of_the_page(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob", viewport={"width": 320, "height": 640})
    says(server, "", {"many": list(range(500)), "long": "x" * 900})
    says(server, "", {"x" * 1_000: "y" * 900})
    deep: Any = 1
    for _ in range(31):
        deep = {"a": deep}
    says(server, "", {"deep": deep})
    cards = at_alice.page.locator(".data")
    expect(cards).to_have_count(3)
    expect(cards.first).to_contain_text("491 more lines")
    assert cards.first.locator("> .line, > .more").count() == 12
    page = at_alice.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert page[0] <= page[1]
    assert all(card.bounding_box()["height"] < 500 for card in cards.all())  # type: ignore[index]


def test_a_message_with_data_alone_is_taken_back(open_alone: OpenAlone, server: FakeServer) -> None:
    says(server, "", {"order": 17}, sender="alice")
    at_alice = open_alone("bob")
    expect(at_alice.page.locator(".data")).to_have_count(1)
    at_alice.page.locator(".bubble").hover()
    at_alice.page.get_by_role("button", name="Take back: Data").click()
    at_alice.page.get_by_role("button", name="Take back", exact=True).click()
    at_alice.expect_texts("Message taken back")
    expect(at_alice.page.locator(".data")).to_have_count(0)
