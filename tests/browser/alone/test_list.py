"""The list of chats: what it says, how one finds a chat in it, and how a keyboard gets about."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import NewContext, address_of
from tests.browser.person import Person


def field(person: Person) -> Locator:
    return person.page.get_by_label("User id to write to")


def listed(person: Person) -> list[str]:
    peers: list[str] = person.page.locator("#chats button").evaluate_all("(all) => all.map((one) => one.dataset.peer)")
    return peers


def expect_listed(person: Person, *peers: str) -> None:
    expect(person.page.locator("#chats button")).to_have_count(len(peers))
    assert listed(person) == list(peers)


@pytest.fixture
def many(server: FakeServer) -> list[str]:
    """The user has these chats, newest first."""
    peers = [f"user{number:02}" for number in range(58)] + ["bob", "alison", "natalie", "Ali"]
    for peer in peers:
        server.says(peer, f"from {peer}")
    return peers[::-1]


def test_typing_filters_the_list(open_alone: OpenAlone, many: list[str]) -> None:
    at_alice = open_alone()
    expect_listed(at_alice, *many)
    field(at_alice).press_sequentially("ALI")
    expect_listed(at_alice, "Ali", "natalie", "alison", "ALI")
    field(at_alice).press("Escape")
    expect_listed(at_alice, *many)
    expect(field(at_alice)).to_have_value("")


@pytest.mark.parametrize(
    ("typed", "opened"),
    [
        ("Ali", "Ali"),
        ("alis", "alison"),
        ("tali", "natalie"),
        ("user4", "user49"),
        ("nobody", "nobody"),
        ("bob", "bob"),
    ],
)
def test_enter_opens_the_match_that_is_marked_or_the_new_id(
    open_alone: OpenAlone, many: list[str], typed: str, opened: str
) -> None:
    at_alice = open_alone()
    expect_listed(at_alice, *many)
    field(at_alice).fill(typed)
    expect(at_alice.page.locator("#chats .target")).to_have_attribute("data-peer", opened)
    field(at_alice).press("Enter")
    expect(at_alice.page.get_by_role("heading", name=opened, exact=True)).to_be_visible()
    expect(field(at_alice)).to_have_value("")
    assert set(listed(at_alice)) == {*many, opened}


def test_a_new_id_that_is_a_part_of_another_can_be_chosen(open_alone: OpenAlone, many: list[str]) -> None:
    at_alice = open_alone()
    expect_listed(at_alice, *many)
    field(at_alice).fill("bo")
    at_alice.page.get_by_role("button", name="Write to bo", exact=True).click()
    expect(at_alice.page.get_by_role("heading", name="bo", exact=True)).to_be_visible()


def test_the_problem_with_an_id_is_shown_until_the_user_types_on(open_alone: OpenAlone, many: list[str]) -> None:
    at_alice = open_alone()
    problem = at_alice.page.locator("#new-chat-problem")
    field(at_alice).fill("bob smith")
    expect(at_alice.page.locator("#no-chats")).to_have_text("No chat matches, and this is not a valid user id.")
    field(at_alice).press("Enter")
    expect(problem).to_contain_text("it contains a space")
    expect(field(at_alice)).to_have_attribute("aria-invalid", "true")
    field(at_alice).press("Backspace")
    expect(problem).to_have_text("")
    field(at_alice).press("Enter")
    expect(problem).to_contain_text("it contains a space")
    field(at_alice).fill("")
    expect(problem).to_have_text("")
    field(at_alice).fill("x" * 129)
    field(at_alice).press("Enter")
    expect(problem).to_contain_text("Use 1 to 128 characters")
    field(at_alice).fill("no good")
    field(at_alice).press("Enter")
    at_alice.page.evaluate("() => { location.hash = '#/alice/bob' }")
    expect(problem).to_have_text("")
    expect(field(at_alice)).to_have_value("")


def test_the_list_is_one_stop_of_the_keyboard(open_alone: OpenAlone, many: list[str]) -> None:
    at_alice = open_alone()
    expect_listed(at_alice, *many)
    expect(field(at_alice)).to_be_focused()  # one has just signed in
    stops = at_alice.page.locator("#chats button").evaluate_all(
        "(all) => all.filter((one) => one.tabIndex === 0).length"
    )
    assert stops == 1
    keyboard = at_alice.page.keyboard
    for _ in range(2):  # past the arrow beside the field
        keyboard.press("Tab")
    expect(at_alice.line(many[0])).to_be_focused()
    for key, peer in (("ArrowDown", many[1]), ("End", many[-1]), ("Home", many[0]), ("ArrowDown", many[1])):
        keyboard.press(key)
        expect(at_alice.line(peer)).to_be_focused()
    keyboard.press("Enter")
    expect(at_alice.field).to_be_focused()
    keyboard.press("Shift+Tab")  # the messages
    keyboard.press("Shift+Tab")  # the heading takes no tab; the button for notifications may
    at_alice.page.keyboard.press("Control+k")
    expect(field(at_alice)).to_be_focused()
    keyboard.press("ArrowDown")
    expect(at_alice.line(many[0])).to_be_focused()
    keyboard.press("ArrowUp")
    expect(field(at_alice)).to_be_focused()


def test_the_shortcut_is_shown(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone()
    expect(field(at_alice)).to_have_attribute("aria-keyshortcuts", "Control+K")
    field(at_alice).blur()
    expect(at_alice.page.locator("kbd")).to_have_text("Ctrl K")
    expect(at_alice.page.locator("kbd")).to_be_visible()


def test_ticks_of_last_messages_are_there_at_once_and_said(open_alone: OpenAlone, server: FakeServer) -> None:
    for peer, marks in {"ann": (1, 0), "ben": (0, 1), "cid": (0, 0)}.items():
        server.said(peer, "hi")
        server.chat.marks[peer] |= {"peer_read": marks[0], "peer_delivered": marks[1], "read": 1}
    at_alice = open_alone()
    for peer, words in {"ann": "read", "ben": "delivered", "cid": "sent"}.items():
        expect(at_alice.line(peer).locator(".tick")).to_have_text(f"{words} ", use_inner_text=False)
        expect(at_alice.line(peer)).to_have_accessible_name(
            f"{peer} {at_alice.line(peer).locator('time').inner_text()} {words} You: hi"
        )


def test_read_and_delivered_differ_by_more_than_a_colour(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    at_alice.say("one", "two")
    server.push({"type": "receipt", "from": "bob", "peer": "alice", "kind": "read", "seq": 1, "ts": 1})
    server.push({"type": "receipt", "from": "bob", "peer": "alice", "kind": "delivered", "seq": 2, "ts": 1})
    at_alice.expect_state("one", "read")
    at_alice.expect_state("two", "delivered")
    shapes = [
        at_alice.bubble(text).locator(".tick path").evaluate_all("(all) => all.map((one) => one.getAttribute('d'))")
        for text in ("one", "two")
    ]
    assert shapes[0] != shapes[1]


def test_nothing_is_said_of_chats_before_the_server_has_listed_them(
    new_context: NewContext, address: str, server: FakeServer
) -> None:
    server.is_silent = True
    context = new_context()
    server.stand_in(context)
    page = context.new_page()
    page.goto(address_of(address, "alice", "bob"))
    at_alice = Person(page, "alice")
    at_alice.sign_in()
    expect(page.locator("#entries-hint")).to_have_text("Loading messages…")
    page.get_by_text("Connecting…").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Loading your chats…")).to_be_visible()
    expect(page.get_by_text("No chats yet")).to_have_count(0)
    server.is_silent = False
    page.reload()
    at_alice.expect_connected()
    expect(page.get_by_text("No chats yet. Write to somebody above: all it takes is a user id.")).to_be_visible()


def test_a_chat_that_is_open_is_in_the_list_before_its_first_message(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    expect_listed(at_alice, "bob")
    expect(at_alice.page.get_by_text("No chats yet")).to_have_count(0)
    expect(at_alice.page.locator("#entries-hint")).to_have_text("No messages with bob yet. Say hello.")
    expect(at_alice.status).to_have_text("status not shared yet")
    at_alice.say("hello")
    expect(at_alice.page.locator("#entries-hint")).to_have_text("")
    expect_listed(at_alice, "bob")


def test_a_draft_is_kept_over_a_reload_and_shown_in_the_list(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", "hello")
    server.says("carol", "hello")
    at_alice = open_alone("bob")
    at_alice.field.fill("half a\nthought")
    at_alice.line("carol").click()
    expect(at_alice.field).to_have_value("")
    expect(at_alice.line("bob").locator(".preview")).to_have_text("Draft: half a thought")
    at_alice.page.reload()
    expect(at_alice.line("bob").locator(".preview")).to_have_text("Draft: half a thought")
    at_alice.line("bob").click()
    expect(at_alice.field).to_have_value("half a\nthought")
    at_alice.page.reload()
    expect(at_alice.field).to_have_value("half a\nthought")
    at_alice.field.press("Enter")
    at_alice.bubble("half a\nthought").wait_for()
    at_alice.line("carol").click()
    expect(at_alice.line("bob").locator(".draft")).to_have_count(0)
    at_alice.page.evaluate("() => { location.hash = '#/alice/bob' }")
    expect(at_alice.field).to_have_value("")


def test_one_answer_to_whether_somebody_is_reading(open_alone: OpenAlone, server: FakeServer) -> None:
    """The title, the list and the receipts agree, also while the window is seen and another one has the focus."""
    server.says("bob", "old")
    at_alice = open_alone("bob")
    at_alice.expect_texts("old")
    at_alice.expect_unread("bob", 0)
    at_alice.page.evaluate("() => { document.hasFocus = () => false }")
    server.says("bob", "one", "two", "three")
    at_alice.bubble("three").wait_for()
    expect(at_alice.page).to_have_title("(3) Parley")
    at_alice.expect_unread("bob", 3)
    expect(at_alice.page.locator("#icon")).to_have_attribute("href", "icon-unread.svg")
    assert server.count("receipt", lambda frame: frame["kind"] == "read" and frame["seq"] > 1) == 0
    at_alice.page.evaluate("() => { delete document.hasFocus; dispatchEvent(new Event('focus')) }")
    at_alice.expect_unread("bob", 0)
    expect(at_alice.page).to_have_title("Parley")
    expect(at_alice.page.locator("#icon")).to_have_attribute("href", "icon.svg")
    # The same where one has scrolled up.
    server.says("bob", *(f"line {number}" for number in range(60)))
    at_alice.bubble("line 59").wait_for()
    at_alice.expect_unread("bob", 0)
    at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, 0)")
    expect(at_alice.page.get_by_role("button", name="Go to the latest message")).to_be_visible()
    server.says("bob", "last")
    expect(at_alice.page).to_have_title("(1) Parley")
    at_alice.expect_unread("bob", 1)


def test_presence_is_asked_for_of_the_chats_in_sight_and_of_others_when_they_come_into_sight(
    open_alone: OpenAlone, server: FakeServer
) -> None:
    peers = [f"user{number:03}" for number in range(100)]
    for peer in peers:
        server.said(peer, "hi")
    server.chat.online |= set(peers)
    newest = peers[::-1]

    def asked() -> list[str]:
        return [user for frame in server.asked if frame["action"] == "presence" for user in frame["users"]]

    at_alice = open_alone()
    expect(at_alice.line(newest[0]).locator(".online")).to_have_count(1)
    first = asked()
    assert first == newest[: len(first)]
    assert len(first) < 20
    at_alice.line(newest[-1]).scroll_into_view_if_needed()
    expect(at_alice.line(newest[-1]).locator(".online")).to_have_count(1)
    assert len(asked()) == len(set(asked())) < 60
    # On the next connection those are asked for that are in sight then.
    server.asked.clear()
    server.drop()
    server.wait_for(at_alice.page, lambda: newest[-1] in asked())
    assert len(asked()) < 20
    expect(at_alice.line(newest[-1]).locator(".online")).to_have_count(1)
    expect(at_alice.line(newest[0]).locator(".online")).to_have_count(0)
