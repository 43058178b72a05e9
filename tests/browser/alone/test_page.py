"""The page as a whole: signing in, the connection, the history of the browser, and who is there."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from local.web import serve
from stacks import web_hosting
from stacks.web_hosting import SignIn
from tests.browser.alone.conftest import ENDPOINT, SECRET, OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import NewContext, address_of
from tests.browser.person import Person

# Signing in


def test_a_link_signs_no_tab_in_before_it_was_asked(new_context: NewContext, address: str, server: FakeServer) -> None:
    server.says("mallory", "read me")
    context = new_context()
    server.stand_in(context)
    page = context.new_page()
    page.goto(address_of(address, "alice", "mallory"))
    at_alice = Person(page, "alice")
    expect(page.get_by_label("User id", exact=True)).to_have_value("alice")
    expect(page.locator("#app")).to_be_hidden()
    assert server.asked == []
    at_alice.sign_in()
    at_alice.expect_connected()
    at_alice.expect_texts("read me")
    page.reload()  # the tab was asked
    at_alice.expect_connected()
    page.evaluate("() => { location.hash = '#/bob/mallory' }")
    expect(page.get_by_label("User id", exact=True)).to_have_value("bob")
    asked = len(server.asked)
    expect(page.locator("#app")).to_be_hidden()
    assert len(server.asked) == asked
    other = context.new_page()
    other.goto(address_of(address, "alice"))
    expect(other.get_by_label("User id", exact=True)).to_have_value("alice")


# A token with the claims that the page reads. AWS passes on the headers of the answer to $connect; the emulator drops
# them, and without the one that chooses a subprotocol a browser ends a connection that offered some.
HEADER, CLAIMS = "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0"
TOKEN = f"{HEADER}.{CLAIMS}.c2lnbmF0dXJl"
OFFERED = """
const offered = window.offered = [];
window.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url);
    offered.push([url, protocols ?? null]);
  }
};
"""


def test_a_token_goes_where_the_deployment_reads_it(new_context: NewContext, address: str, server: FakeServer) -> None:
    context = new_context()
    config = web_hosting.config(ENDPOINT.url, SignIn.TOKEN, "subprotocol")
    context.route(f"**/{web_hosting.CONFIG}", lambda route: route.fulfill(json=config))
    server.stand_in(context)
    context.add_init_script(OFFERED)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Connection token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Continue").click()
    Person(page, "alice").expect_connected()
    assert page.evaluate("() => window.offered") == [[ENDPOINT.url, ["parley.v1", f"bearer.{TOKEN}"]]]


def test_where_everybody_is_believed_a_user_id_is_enough(
    new_context: NewContext, address: str, server: FakeServer
) -> None:
    context = new_context()
    config = web_hosting.config(ENDPOINT.url, SignIn.OPEN)
    context.route(f"**/{web_hosting.CONFIG}", lambda route: route.fulfill(json=config))
    server.stand_in(context)
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_text("does not check who you are")).to_be_visible()
    page.get_by_label("User id", exact=True).fill("alice")
    page.get_by_role("button", name="Continue").click()
    Person(page, "alice").expect_connected()
    assert server.addresses == {f"{ENDPOINT.url}?userId=alice"}


def test_a_browser_that_stores_nothing_can_be_signed_in(
    new_context: NewContext, address: str, server: FakeServer
) -> None:
    context = new_context()
    for storage in ("localStorage", "sessionStorage"):
        context.add_init_script(
            f"Object.defineProperty(window, '{storage}', {{get() {{ throw new DOMException('denied'); }}}})"
        )
    server.stand_in(context)
    page = context.new_page()
    page.goto(address_of(address, "alice", "bob"))
    at_alice = Person(page, "alice")
    at_alice.sign_in()
    at_alice.expect_connected()
    at_alice.say("hello")
    at_alice.field.fill("a draft")


def test_a_page_left_open_tells_when_another_deployment_has_taken_its_port(
    new_context: NewContext, server: FakeServer
) -> None:
    context = new_context()
    server.stand_in(context)
    with serve(ENDPOINT, SECRET) as url:
        page = context.new_page()
        page.goto(address_of(url, "alice"))
        at_alice = Person(page, "alice")
        at_alice.sign_in()
        at_alice.expect_connected()
    other = replace(ENDPOINT, url=ENDPOINT.url.replace("local", "other"))
    with serve(other, SECRET, port=urlsplit(url).port or 0) as taken:
        assert taken == url
        server.drop()
        expect(at_alice.banner).to_contain_text("another deployment has taken the place of the page's")
        at_alice.banner.get_by_role("button", name="Sign in again").click()
        page.get_by_label("User id", exact=True).fill("alice")
        page.get_by_role("button", name="Continue").click()
        at_alice.expect_connected()


# The connection


def test_the_banner_comes_in_time_however_often_the_state_changes(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    at_alice.page.clock.install(time=0)
    at_alice.page.clock.pause_at(60_000)  # from here, the page's time is what the test makes of it
    server.is_away = True
    server.drop()

    def is_drawn() -> bool:
        at_alice.page.clock.run_for(20)  # nothing is drawn while time stands still
        return at_alice.page.locator("#app").get_attribute("data-connection") != "online"

    server.wait_for(at_alice.page, is_drawn)
    at_alice.page.clock.run_for(700)
    expect(at_alice.banner).to_be_hidden()
    at_alice.page.clock.run_for(150)
    expect(at_alice.banner).to_be_visible()


def test_the_banner_offers_nothing_that_is_being_done(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.is_away = True
    server.drop()
    at_alice.banner.get_by_text("No connection").wait_for()
    expect(at_alice.banner.get_by_role("button", name="Try now")).to_be_visible()
    server.is_away, server.is_silent = False, True
    at_alice.try_now()
    at_alice.banner.get_by_text("Connecting…").wait_for()
    expect(at_alice.banner.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("event", ["focus", "pageshow", "online", "offline"])
def test_whatever_may_mean_that_the_computer_woke_has_the_line_checked(
    open_alone: OpenAlone, server: FakeServer, event: str
) -> None:
    at_alice = open_alone("bob")
    server.is_silent = server.is_away = True  # a line that is dead, and does not say so
    at_alice.page.evaluate("(event) => dispatchEvent(new Event(event))", event)
    at_alice.expect_disconnected()
    server.is_silent = server.is_away = False
    at_alice.try_now()
    at_alice.expect_connected()


def test_a_timer_that_is_late_has_the_line_checked(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    at_alice.page.clock.install()
    at_alice.page.reload()
    at_alice.page.clock.resume()
    at_alice.expect_connected()
    pings = server.count("ping")
    at_alice.page.clock.fast_forward(20 * 60_000)  # as a lid that is closed does: timers fire once, late
    server.wait_for(at_alice.page, lambda: server.count("ping") > pings)


# The browser's history


def history_length(person: Person) -> int:
    return int(person.page.evaluate("() => history.length"))


def test_the_arrow_and_escape_go_back_to_the_list(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", "hello")
    server.says("carol", "hello")
    at_alice = open_alone(viewport={"width": 360, "height": 720}, has_touch=True)
    at_alice.line("bob").wait_for()
    before = history_length(at_alice)
    for _ in range(5):
        at_alice.line("bob").click()
        expect(at_alice.field).to_be_visible()
        at_alice.page.get_by_role("button", name="Back to the chats").click()
        expect(at_alice.line("bob")).to_be_visible()
    for _ in range(5):
        at_alice.line("bob").click()
        expect(at_alice.field).to_be_visible()
        at_alice.page.keyboard.press("Escape")
        expect(at_alice.line("bob")).to_be_visible()
    assert history_length(at_alice) <= before + 1
    at_alice.page.go_forward()
    expect(at_alice.field).to_be_visible()


def test_closing_a_chat_that_a_link_has_opened_leads_to_the_list(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", "hello")
    at_alice = open_alone("bob")
    before = history_length(at_alice)
    at_alice.page.keyboard.press("Escape")
    expect(at_alice.page.locator("#placeholder")).to_be_visible()
    expect(at_alice.line("bob")).to_be_focused()
    assert history_length(at_alice) == before


def test_from_chat_to_chat_escape_leads_to_the_list_at_once(open_alone: OpenAlone, server: FakeServer) -> None:
    server.says("bob", "hello")
    server.says("carol", "hello")
    at_alice = open_alone()
    for peer in ("bob", "carol", "bob"):
        at_alice.line(peer).click()
        expect(at_alice.page.get_by_role("heading", name=peer, exact=True)).to_be_visible()
    at_alice.page.go_back()
    expect(at_alice.page.get_by_role("heading", name="carol", exact=True)).to_be_visible()
    at_alice.page.keyboard.press("Escape")
    expect(at_alice.page.locator("#placeholder")).to_be_visible()
    assert at_alice.page.url.endswith("#/alice")


# Who is there


@pytest.mark.parametrize("sign", ["message", "read", "delivered", "typing", "sent"])
def test_somebody_new_who_does_something_is_shown_to_be_there(
    open_alone: OpenAlone, server: FakeServer, sign: str
) -> None:
    """Presence is told to those who have a chat already, so it is asked for again."""
    server.said("bob", "hello")
    at_alice = open_alone("bob")
    expect(at_alice.status).to_have_text("status not shared yet")
    server.chat.online.add("bob")
    match sign:
        case "message":
            server.says("bob", "hi")
        case "read" | "delivered" as kind:
            server.push({"type": "receipt", "from": "bob", "peer": "alice", "kind": kind, "seq": 1, "ts": 1})
        case "typing":
            server.push({"type": "typing", "from": "bob", "state": "composing", "ts": 1})
            server.push({"type": "typing", "from": "bob", "state": "paused", "ts": 2})
        case "sent":
            at_alice.say("are you there?")  # taken by one connection
    expect(at_alice.status).to_have_text("online")
    expect(at_alice.line("bob").locator(".online")).to_have_count(1)


def test_a_stranger_who_writes_is_not_asked_about(open_alone: OpenAlone, server: FakeServer) -> None:
    """Nothing would be said of somebody to whom the user has not written."""
    at_alice = open_alone()
    server.says("mallory", "one", "two", "three")
    expect(at_alice.line("mallory")).to_contain_text("three")
    assert server.count("presence", lambda frame: "mallory" in frame["users"]) == 0
    at_alice.line("mallory").click()
    expect(at_alice.status).to_have_text("status not shared yet")


def test_an_unseen_message_raises_a_notification_if_the_user_turned_them_on(
    open_alone: OpenAlone, server: FakeServer
) -> None:
    at_alice = open_alone()
    at_alice.page.evaluate(
        """() => {
          globalThis.shown = [];
          let permission = "default";
          globalThis.Notification = class {
            static get permission() { return permission; }
            static async requestPermission() { permission = "granted"; }
            constructor(title, options) { globalThis.shown.push([title, options.body]); }
            close() {}
          };
        }"""
    )
    at_alice.page.get_by_role("button", name="Turn on notifications").click()
    expect(at_alice.page.get_by_role("button", name="Turn on notifications")).to_have_count(0)
    server.says("bob", "seen")
    at_alice.line("bob").wait_for()
    at_alice.page.evaluate("() => Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    server.says("bob", "not seen")
    at_alice.page.wait_for_function("() => globalThis.shown.length")
    assert at_alice.page.evaluate("() => globalThis.shown") == [["bob", "not seen"]]


def test_the_page_has_a_manifest(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone()
    manifest = at_alice.page.evaluate("async () => (await fetch('manifest.json')).json()")
    assert (manifest["name"], manifest["icons"][0]["src"]) == ("Parley", "icon.svg")
