"""The field to write into."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import Shoot
from tests.browser.person import Person


def press(person: Person, selector: str, key: str, **fields: Any) -> None:
    person.page.locator(selector).evaluate(
        """(one, [key, fields]) => {
          const event = new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...fields});
          one.dispatchEvent(event);
        }""",
        [key, fields],
    )


COMPOSING = [{"isComposing": True}, {"keyCode": 229}]  # the second is Safari's, whose composition has ended already


@pytest.mark.parametrize("composing", COMPOSING, ids=["composing", "safari"])
def test_keys_of_an_input_method_are_ignored_by_the_page(
    open_alone: OpenAlone, server: FakeServer, composing: dict[str, Any]
) -> None:
    server.says("carol", "hello")
    at_alice = open_alone("bob")
    at_alice.field.fill("にほん")
    press(at_alice, "#text", "Enter", **composing)
    press(at_alice, "#text", "Escape", **composing)
    press(at_alice, "#text", "PageUp", **composing)
    press(at_alice, "#text", "k", ctrlKey=True, **composing)
    expect(at_alice.field).to_be_focused()
    expect(at_alice.field).to_have_value("にほん")
    at_alice.page.get_by_label("User id to write to").fill("car")
    press(at_alice, "#new-chat-peer", "Escape", **composing)
    press(at_alice, "#new-chat-peer", "ArrowDown", **composing)
    expect(at_alice.page.get_by_label("User id to write to")).to_have_value("car")
    expect(at_alice.page.get_by_role("heading", name="bob", exact=True)).to_be_visible()
    press(at_alice, "#text", "Enter")
    at_alice.expect_texts("にほん")


def test_pages_are_turned_from_the_field(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(100)))
    server.chat.marks["bob"]["read"] = 100
    at_alice = open_alone("bob")
    expect(at_alice.bubbles.last).to_be_in_viewport()
    at_alice.field.press("PageUp")
    expect(at_alice.bubbles.last).not_to_be_in_viewport()
    expect(at_alice.field).to_be_focused()
    at_alice.field.press("PageDown")
    expect(at_alice.bubbles.last).to_be_in_viewport()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 9_000, "The message is 808 characters too long."),
        ("x" * 8_193, "The message is 1 character too long."),
        ("x" * 8_000, "192 characters left"),
        ("x" * 8_191, "1 character left"),
        ("€" * 2_700, "about 30 characters left"),
        ("€" * 2_735, "The message is 5 characters too long."),
        ("\U0001f600" * 2_050, "The message is 2 characters too long."),
    ],
)
def test_limits_are_in_characters(open_alone: OpenAlone, text: str, said: str) -> None:
    at_alice = open_alone("bob")
    at_alice.field.fill(text)
    expect(at_alice.page.locator("#text-problem")).to_have_text(said)


def test_the_field_grows_without_being_measured(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    height = "(one) => one.getBoundingClientRect().height"
    before = at_alice.field.evaluate(height)
    at_alice.field.fill("one\ntwo\nthree")
    assert at_alice.field.evaluate(height) > before + 30
    assert at_alice.field.evaluate("(one) => one.style.height") == ""
    at_alice.field.fill("\n" * 100)
    assert at_alice.field.evaluate(height) < 200


def test_the_button_to_the_latest_message_stays_above_a_grown_field(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", *(f"message {number}" for number in range(100)))
    at_alice = open_alone("bob")
    at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, 300)")
    at_alice.field.fill("\n" * 20)
    latest = at_alice.page.get_by_role("button", name="Go to the latest message").bounding_box()
    composer = at_alice.page.locator("#composer").bounding_box()
    assert latest is not None
    assert composer is not None
    assert latest["y"] + latest["height"] <= composer["y"]


def test_a_wide_screen_has_one_measure(open_alone: OpenAlone, server: FakeServer, shoot: Shoot) -> None:
    at_alice = open_alone("bob", viewport={"width": 3_440, "height": 1_000})
    server.said("bob", "hello")
    at_alice.bubble("hello").wait_for()
    rows = at_alice.page.locator("#entries").bounding_box()
    send = at_alice.page.get_by_role("button", name="Send", exact=True).bounding_box()
    field = at_alice.field.bounding_box()
    assert rows is not None
    assert send is not None
    assert field is not None
    assert abs(field["x"] - rows["x"]) < 30
    assert abs(send["x"] + send["width"] - rows["x"] - rows["width"]) < 30
    shoot(at_alice)


@pytest.mark.parametrize("viewport", [{"width": 390, "height": 844}, {"width": 844, "height": 390}])
def test_no_field_is_so_small_that_a_phone_zooms_in(open_alone: OpenAlone, viewport: dict[str, int]) -> None:
    at_alice = open_alone("bob", viewport=viewport, has_touch=True, is_mobile=True)
    sizes = at_alice.page.locator("input, textarea").evaluate_all(
        "(all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert len(sizes) == 3
    assert min(sizes) >= 16


def test_a_picture_that_is_pasted_or_dropped_is_refused_in_words(open_alone: OpenAlone) -> None:
    at_alice = open_alone("bob")
    problem = at_alice.page.locator("#text-problem")
    dispatch = """([type, target, text]) => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "picture.png", {type: "image/png"}));
      if (text) data.setData("text/plain", text);
      const fields = {bubbles: true, cancelable: true};
      const event = type === "paste"
        ? new ClipboardEvent(type, {...fields, clipboardData: data})
        : new DragEvent(type, {...fields, dataTransfer: data});
      return document.querySelector(target).dispatchEvent(event);
    }"""
    assert at_alice.page.evaluate(dispatch, ["paste", "#text", ""]) is False
    expect(problem).to_have_text("Text only, for now.")
    at_alice.field.press_sequentially("a")
    expect(problem).to_have_text("")
    assert at_alice.page.evaluate(dispatch, ["dragover", "#messages", ""]) is False
    assert at_alice.page.evaluate(dispatch, ["drop", "#messages", ""]) is False
    expect(problem).to_have_text("Text only, for now.")
    assert at_alice.page.evaluate(dispatch, ["paste", "#text", "with text"]) is True
