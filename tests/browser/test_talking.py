"""People talk in the browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import NewContext, OpenPage, Shoot, address_of
from tests.conftest import Connect


def test_two_people_talk_and_see_what_was_delivered_and_read(
    open_page: OpenPage, connect: Connect, shoot: Shoot, alice: str, bob: str
) -> None:
    at_alice, at_bob = open_page(alice), open_page(bob)
    at_alice.open_chat(bob)
    at_alice.write("hello")
    at_bob.expect_unread(alice, 1)
    expect(at_bob.page).to_have_title("(1) Parley")
    at_bob.line(alice).click()
    at_bob.expect_unread(alice, 0)
    at_alice.expect_state("hello", "sent")  # bob has not answered yet
    at_bob.say("hi", "how are you?")
    at_alice.expect_state("hello", "read")
    at_alice.say("fine")
    for person in (at_alice, at_bob):
        person.expect_texts("hello", "hi", "how are you?", "fine")
        person.expect_unread(alice if person is at_bob else bob, 0)
        expect(person.page).to_have_title("Parley")
    at_alice.expect_state("fine", "read")
    at_bob.expect_state("how are you?", "read")
    shoot(at_alice)
    at_bob.page.close()
    at_alice.write("bye")
    at_alice.expect_state("bye", "sent")
    connect(bob).ask("receipt", peer=alice, kind="delivered", seq=5)
    at_alice.expect_state("bye", "delivered")


def test_a_message_to_an_absent_user_is_sent_and_not_delivered(open_page: OpenPage, alice: str, bob: str) -> None:
    at_alice = open_page(alice, bob)
    at_alice.write("anybody?")
    at_alice.expect_state("anybody?", "sent")


def test_a_second_device_shows_the_same(open_page: OpenPage, alice: str, bob: str) -> None:
    first, second, at_bob = open_page(alice, bob), open_page(alice), open_page(bob, alice)
    at_bob.say("one", "two")
    first.expect_texts("one", "two")
    second.expect_unread(bob, 0)  # read on the first
    first.say("three")
    at_bob.say("four")
    second.line(bob).click()
    for person in (first, second, at_bob):
        person.expect_texts("one", "two", "three", "four")
    second.expect_state("three", "read")


def test_unread_messages_are_counted_and_marked_in_the_conversation(
    open_page: OpenPage, connect: Connect, shoot: Shoot, alice: str, bob: str
) -> None:
    device = connect(bob)
    device.ask("send", to=alice, text="old")
    at_alice = open_page(alice, bob)
    at_alice.expect_texts("old")
    at_alice.page.keyboard.press("Escape")
    device.ask("send", to=alice, text="new")
    device.ask("send", to=alice, text="newer")
    at_alice.expect_unread(bob, 2)
    at_alice.line(bob).click()
    expect(at_alice.page.locator("#entries > li").nth(-3)).to_have_text("New messages")
    at_alice.expect_unread(bob, 0)
    shoot(at_alice)


@pytest.mark.usefixtures("acquainted")
def test_many_unread_messages_are_read_from_the_first_one_on(
    open_page: OpenPage, connect: Connect, shoot: Shoot, alice: str, bob: str
) -> None:
    count = 70  # more than come at first
    device = connect(bob)
    for number in range(1, count + 1):
        device.ask("send", to=alice, text=f"number {number}")
    connect(alice).ask("receipt", peer=bob, kind="read", seq=5)
    device.receive(type="receipt", kind="read", seq=5)
    at_alice = open_page(alice, bob)
    expect(at_alice.page.locator("#entries .new")).to_be_in_viewport()
    expect(at_alice.page.get_by_text("number 6", exact=True)).to_be_in_viewport()
    expect(at_alice.page.locator("#entries .new + li .text")).to_have_text("number 6")
    expect(at_alice.page.locator("#latest-count")).to_have_text(str(count - 5))
    shoot(at_alice)
    at_alice.page.get_by_role("button", name="Go to the latest message").click()
    expect(at_alice.bubbles.last).to_be_in_viewport()
    device.receive(type="receipt", kind="read", seq=count)
    expect(at_alice.page).to_have_title("Parley")


def test_typing_is_shown_until_it_stops(open_page: OpenPage, alice: str, bob: str) -> None:
    at_alice, at_bob = open_page(alice, bob), open_page(bob, alice)
    at_bob.write("a chat")
    at_alice.write("yes?")
    at_bob.expect_texts("a chat", "yes?")
    expect(at_bob.status).to_have_text("online")  # until the server has introduced the two, it drops what is typed
    at_bob.field.press_sequentially("hm")
    expect(at_alice.status).to_have_text("typing…")
    expect(at_alice.line(bob)).to_contain_text("typing…")
    at_bob.field.fill("")
    expect(at_alice.status).to_have_text("online")


def test_presence_comes_and_goes(open_page: OpenPage, alice: str, bob: str) -> None:
    at_alice, at_bob = open_page(alice, bob), open_page(bob, alice)
    at_bob.write("a chat")  # presence is told once both have written
    at_alice.expect_texts("a chat")
    expect(at_alice.status).not_to_have_text("online")
    at_alice.write("yes?")
    expect(at_alice.status).to_have_text("online")
    at_bob.page.close()
    expect(at_alice.status).to_have_text(re.compile(r"^last seen today at \d\d:\d\d$"))
    expect(at_alice.line(bob).locator(".online")).to_have_count(0)
    open_page(bob)
    expect(at_alice.status).to_have_text("online")


def test_older_messages_come_when_one_scrolls_up_and_the_screen_stays_where_it_was(
    open_page: OpenPage, connect: Connect, alice: str, bob: str
) -> None:
    count = 75
    device = connect(bob)
    for number in range(1, count + 1):
        device.ask("send", to=alice, text=f"number {number}")
    device.ask("sync")
    connect(alice).ask("receipt", peer=bob, kind="read", seq=count)
    at_alice = open_page(alice, bob)
    expect(at_alice.bubbles.last).to_have_text(f"number {count}")
    scroller = at_alice.page.get_by_role("log")
    before = at_alice.bubbles.count()
    assert before < count
    scroller.evaluate("(log) => log.scrollTo(0, 0)")
    # Row by row: what was at the top of the screen is there still.
    oldest = at_alice.bubbles.first
    expect(oldest).not_to_have_text(f"number {count - before + 1}")
    expect(at_alice.page.get_by_text(f"number {count - before + 1}", exact=True)).to_be_in_viewport()
    while at_alice.bubbles.count() < count:
        here = at_alice.bubbles.count()
        scroller.evaluate("(log) => log.scrollTo(0, 0)")
        expect(at_alice.bubbles).not_to_have_count(here)
    at_alice.expect_texts(*(f"number {number}" for number in range(1, count + 1)))
    at_alice.page.get_by_role("button", name="Go to the latest message").click()
    expect(at_alice.bubbles.last).to_be_in_viewport()


def test_one_may_write_to_oneself(open_page: OpenPage, alice: str) -> None:
    at_alice = open_page(alice, alice)
    at_alice.write("a note")
    at_alice.expect_texts("a note")
    at_alice.expect_state("a note", "read")
    at_alice.expect_unread(alice, 0)


HOSTILE = [
    "w" * 8192,
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
    "\u202eevil\u202c \u2067isolate",
    "overridden and never closed \u202e\u202e\u2066\u2067",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏿e\u0301\u0301\u0301\u0301",
    "Z" + "\u0310\u0311\u0342\u0343" * 50,
    "control \x00 \x1b[31m \u2028 characters",
    "first\n\n\n   indented\tand tabbed",
    "javascript:alert(1) https://example.com/?a=<b>&c",
]


def test_hostile_text_is_text(open_page: OpenPage, connect: Connect, shoot: Shoot, alice: str, bob: str) -> None:
    at_alice, device = open_page(alice, bob), connect(bob)
    for text in HOSTILE:
        device.ask("send", to=alice, text=text)
        expect(at_alice.bubbles.last).to_be_in_viewport()
    expect(at_alice.bubbles).to_have_count(len(HOSTILE))
    assert at_alice.bubbles.evaluate_all("(bubbles) => bubbles.map((bubble) => bubble.textContent)") == HOSTILE
    elements = at_alice.bubbles.evaluate_all("(bubbles) => bubbles.map((one) => [...one.children].map((a) => a.href))")
    assert elements == [[]] * 8 + [["https://example.com/?a="]]
    expect(at_alice.page).to_have_title("Parley")
    at_alice.expect_nothing_sticks_out()
    shoot(at_alice)


def test_a_text_of_8_kib_is_sent_and_one_byte_more_is_not(open_page: OpenPage, alice: str, bob: str) -> None:
    at_alice = open_page(alice, bob)
    at_alice.write("€" * 2730 + "..")
    at_alice.expect_state("€" * 2730 + "..", "sent")
    at_alice.write("€" * 2730 + "...")
    expect(at_alice.page.locator("#text-problem")).to_have_text("The message is 1 character too long.")
    expect(at_alice.bubbles).to_have_count(1)


def test_a_message_that_is_refused_can_be_sent_again_or_deleted(
    new_context: NewContext, open_page: OpenPage, shoot: Shoot, alice: str, bob: str
) -> None:
    context, refusal = new_context(), Refusal("bob takes none")
    context.route_web_socket(re.compile("execute-api"), refusal.stand_between)
    at_alice = open_page(alice, bob, context=context)
    at_alice.write("one", "two")
    at_alice.expect_state("two", "not sent")
    expect(at_alice.page.locator(".failure").get_by_text("bob takes none")).to_have_count(2)
    expect(at_alice.page.locator("#announcer > *")).to_have_text([f"Not sent to {bob}: bob takes none"] * 2)
    shoot(at_alice)
    refusal.is_over = True
    at_alice.page.get_by_role("button", name="Send again").first.click()
    at_alice.expect_state("one", "sent")
    at_alice.page.get_by_role("button", name="Delete").click()
    at_alice.expect_texts("one")


class Refusal:
    """A server that takes no message until it is over."""

    def __init__(self, message: str) -> None:
        self._message = message
        self.is_over = False

    def stand_between(self, client: WebSocketRoute) -> None:
        server = client.connect_to_server()
        client.on_message(lambda frame: self._answer(client, server, str(frame)))

    def _answer(self, client: WebSocketRoute, server: WebSocketRoute, frame: str) -> None:
        fields = json.loads(frame)
        if self.is_over or fields["action"] != "send":
            server.send(frame)
        else:
            client.send(
                json.dumps({"type": "error", "id": fields["id"], "code": "forbidden", "message": self._message})
            )


def test_a_user_id_of_every_allowed_character(open_page: OpenPage, address: str) -> None:
    strange = "A-z0_9.@:|+=-"
    at_strange = open_page(strange, strange)
    assert at_strange.page.url == address_of(address, strange, strange)
    at_strange.write("me")
    at_strange.expect_state("me", "read")


def test_an_invalid_user_id_is_refused_in_words(open_page: OpenPage, alice: str) -> None:
    at_alice = open_page(alice)
    at_alice.page.get_by_label("User id to write to").fill("bob smith")
    at_alice.page.get_by_label("Open the chat").click()
    expect(at_alice.page.get_by_text("That is not a valid user id: it contains a space")).to_be_visible()
    expect(at_alice.page.get_by_role("heading", name="bob smith")).to_have_count(0)
