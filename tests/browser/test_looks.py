"""The page on every screen, by keyboard alone, and to a screen reader."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from local.deployment import Endpoint, token
from tests.browser.conftest import NewContext, OpenPage, Shoot
from tests.browser.line import Line
from tests.browser.person import Person
from tests.conftest import Connect
from tests.raw_connection import raw_connection

PHONE = {"viewport": {"width": 360, "height": 720}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}

CONVERSATION = (
    ("bob", "Morning! Did the numbers come in?"),
    ("alice", "They did. Up 12 % on last week, mostly from the new region."),
    ("alice", "I'll send the sheet in a minute."),
    ("bob", "Great 🎉"),
    ("bob", "One question before the call at ten: do we count the trial accounts, or only those that have paid once?"),
    ("alice", "Only those that have paid. The definitions are on the first page."),
)


@pytest.fixture(scope="module")
def conversation(endpoint: Endpoint, secret: str) -> list[str]:
    """What was said before: the texts of a conversation of alice and bob, and some that alice has not read."""
    with ExitStack() as stack:
        alice, bob, carol, dave = (
            stack.enter_context(raw_connection(f"{endpoint.url}?token={token(secret, name)}"))
            for name in ("alice", "bob", "carol.jones", "dave")
        )
        dave.ask("send", to="alice", text="مرحبا، هل نلتقي غدا؟")
        carol.ask("send", to="alice", text="The contract is in your inbox.")
        carol.ask("send", to="alice", text="Could you look at page 3, please? 🙏")
        for sender, text in CONVERSATION:
            if sender == "alice":
                alice.ask("send", to="bob", text=text)
            else:
                bob.ask("send", to="alice", text=text)
    return [text for _, text in CONVERSATION]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{"device_scale_factor": 2}, PHONE], ids=["desktop", "phone"])
def test_a_page_for_a_customer(
    *,
    conversation: list[str],
    open_page: OpenPage,
    new_context: NewContext,
    connect: Connect,
    shoot: Shoot,
    scheme: str,
    screen: dict[str, Any],
) -> None:
    bob = connect("bob")
    at_alice = open_page("alice", context=new_context(color_scheme=scheme, **screen))
    at_alice.expect_unread("carol.jones", 2)
    expect(at_alice.line("bob").locator(".online")).to_be_visible()
    at_alice.expect_nothing_sticks_out()
    shoot(at_alice, "chats")
    at_alice.line("bob").click()
    at_alice.expect_texts(*conversation)
    bob.ask("receipt", peer="alice", kind="read", seq=len(conversation))
    at_alice.expect_state(conversation[-1], "read")
    bob.say('{"action": "typing", "to": "alice", "state": "composing"}')
    expect(at_alice.status).to_have_text("typing…")
    at_alice.expect_nothing_sticks_out()
    shoot(at_alice, "conversation")


def test_colours_that_the_reader_chooses(
    *,
    conversation: list[str],
    open_page: OpenPage,
    new_context: NewContext,
    connect: Connect,
    line: Line,
    shoot: Shoot,
) -> None:
    """Where there are no grounds, borders tell what is what."""
    connect("bob")
    at_alice = open_page("alice", "bob", context=new_context(forced_colors="active"))
    at_alice.expect_unread("carol.jones", 2)
    at_alice.expect_texts(*conversation)
    line.cut()
    at_alice.expect_disconnected()
    at_alice.write("not sent yet")
    own, theirs = at_alice.bubble(conversation[1]), at_alice.bubble(conversation[0])
    queued = at_alice.bubble("not sent yet")
    drawn = [_border(one.locator(".bubble")) for one in (own, theirs, queued)]
    assert len(set(drawn)) == 3
    assert not any(border.startswith(("0px", "none")) for border in drawn)
    current, other = _border(at_alice.line("bob")), _border(at_alice.line("carol.jones"))
    assert current != other
    shoot(at_alice)


def _border(one: Locator) -> str:
    return str(one.evaluate("(one) => getComputedStyle(one).border"))


def test_signing_in(new_context: NewContext, address: str, shoot: Shoot, alice: str) -> None:
    page = new_context().new_page()
    page.goto(address)
    page.get_by_label("User id", exact=True).fill("not a user id")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("That is not a valid user id: it contains a space. Use 1 to 128")).to_be_visible()
    page.get_by_label("User id", exact=True).fill("")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Enter a user id.")).to_be_visible()
    shoot(Person(page, alice))
    page.get_by_label("User id", exact=True).fill(alice)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name=f"signed in as {alice}")).to_be_visible()
    page.get_by_role("button", name="Switch user").click()
    page.get_by_role("group", name="Or continue as").get_by_text("bob").click()
    expect(page.get_by_role("heading", name="signed in as bob")).to_be_visible()


def test_a_phone_shows_the_list_or_a_conversation(
    open_page: OpenPage, new_context: NewContext, connect: Connect, alice: str, bob: str
) -> None:
    connect(bob).ask("send", to=alice, text="hello")
    at_alice = open_page(alice, context=new_context(**PHONE))
    expect(at_alice.field).to_be_hidden()
    at_alice.line(bob).tap()
    expect(at_alice.line(bob)).to_be_hidden()
    at_alice.field.fill("tapped")
    at_alice.field.press("Enter")  # a new line: there is a button to send
    at_alice.page.get_by_role("button", name="Send").tap()
    expect(at_alice.bubbles.last).to_have_text("tapped\n")
    at_alice.page.get_by_role("button", name="Back to the chats").tap()
    expect(at_alice.line(bob)).to_be_visible()
    at_alice.page.go_forward()  # the arrow has gone back
    expect(at_alice.field).to_be_visible()
    small = at_alice.page.locator("button:visible").evaluate_all(
        "(buttons) => buttons.filter((one) => one.getBoundingClientRect().height < 40).map((one) => one.outerHTML)"
    )
    assert small == []


def test_a_conversation_by_keyboard_alone(
    new_context: NewContext, open_page: OpenPage, address: str, alice: str, bob: str
) -> None:
    at_bob = open_page(bob, alice)
    at_bob.write("first")
    page = new_context().new_page()
    page.goto(address)
    expect(page.get_by_label("User id", exact=True)).to_be_focused()
    _type(page, alice)
    at_alice = Person(page, alice)
    at_alice.expect_unread(bob, 1)
    _tab_to(page, "User id to write to")
    _type(page, "carol")
    expect(at_alice.field).to_be_focused()
    _type(page, "to carol")
    at_alice.expect_texts("to carol")
    page.keyboard.press("Escape")
    expect(at_alice.line("carol")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(at_alice.line(bob)).to_be_focused()
    page.keyboard.press("Enter")
    expect(at_alice.field).to_be_focused()
    page.keyboard.type("line one")
    page.keyboard.press("Shift+Enter")
    _type(page, "line two")
    at_alice.expect_texts("first", "line one\nline two")
    at_bob.expect_texts("first", "line one\nline two")
    page.keyboard.press("Control+k")
    expect(page.get_by_label("User id to write to")).to_be_focused()


def _type(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def _tab_to(page: Page, label: str) -> None:
    for _ in range(10):
        if page.get_by_label(label).evaluate("(field) => field === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not get to {label}")


def test_what_a_screen_reader_is_told(open_page: OpenPage, connect: Connect, alice: str, bob: str) -> None:
    device = connect(bob)
    at_alice = open_page(alice, bob)
    device.ask("send", to=alice, text="good morning")
    said = at_alice.page.locator("#announcer > *")
    expect(said).to_have_text(f"{bob}: good morning")
    for text in ("ok", "ok", "burst 1", "burst 2"):
        device.ask("send", to=alice, text=text)
    expect(said).to_have_text([f"{bob}: {text}" for text in ("good morning", "ok", "ok", "burst 1", "burst 2")])
    at_alice.say("good morning to you")
    log = at_alice.page.get_by_role("log", name=f"Messages with {bob}")
    expect(log).to_contain_text("You: good morning to you")
    for control in at_alice.page.locator("button:visible, input:visible, textarea:visible").all():
        assert control.evaluate("(one) => one.labels?.length || one.ariaLabel || one.innerText.trim()")


def test_the_browser_refuses_to_make_markup_of_text(new_context: NewContext, address: str) -> None:
    """Whatever slips through a review does not slip through this."""
    page = new_context().new_page()
    page.goto(address)
    refused = page.evaluate(
        """() => {
          try {
            document.body.innerHTML = "<b>hello</b>";
          } catch (error) {
            return error.name;
          }
        }"""
    )
    assert refused == "TypeError"
