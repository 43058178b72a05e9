"""What becomes of texts and times in a conversation, and in the list."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import expect

from parley.preview import preview_of
from tests.browser.alone.conftest import ENDPOINT, OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import NewContext, Shoot, address_of, watch
from tests.browser.person import Person

DAY_MS = 86_400_000
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
STACKED = "Z" + "".join(chr(0x300 + number % 0x50) for number in range(120))


def days(person: Person) -> list[str]:
    return person.page.locator("#entries > .day").all_inner_texts()


def test_a_message_of_yesterday_that_waits_leaves_no_separator_behind(
    new_context: NewContext, address: str, server: FakeServer
) -> None:
    server.says("bob", "of yesterday", ago_ms=DAY_MS)
    server.says("bob", "of today")
    yesterday = int(time.time() * 1_000) - DAY_MS
    refused = {"id": "m1", "to": "bob", "text": "refused", "ts": yesterday, "problem": "bob takes none"}
    unsent = {"id": "m2", "to": "bob", "text": "unsent", "ts": yesterday}
    saved = json.dumps({"outbox": [refused, unsent], "reads": {}})
    context, errors = new_context(), list[str]()
    server.stand_in(context)
    server.is_silent = False
    page = context.new_page()
    watch(page, errors)
    page.goto(address)
    page.evaluate("([key, saved]) => localStorage.setItem(key, saved)", [f"parley {ENDPOINT.url} alice 1", saved])
    page.goto(address_of(address, "alice", "bob"))
    at_alice = Person(page, "alice")
    at_alice.sign_in()
    at_alice.expect_texts("of yesterday", "of today", "unsent", "refused")
    for number in range(4):
        server.says("bob", f"more {number}")
        at_alice.bubble(f"more {number}").wait_for()
        assert days(at_alice) == ["Yesterday", "Today"]
    expect(at_alice.bubbles.last).to_have_text("refused")
    at_alice.page.get_by_role("button", name="Delete").click()
    expect(at_alice.bubbles.last).to_have_text("more 3")
    assert days(at_alice) == ["Yesterday", "Today"]
    assert errors == []


def test_a_conversation_of_today_needs_no_separator(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.says("bob", "hello")
    at_alice.expect_texts("hello")
    assert days(at_alice) == []


def test_the_day_floats_over_the_messages_only_while_somebody_scrolls(
    open_alone: OpenAlone, server: FakeServer, shoot: Shoot
) -> None:
    server.says("bob", *(f"long ago {number}" for number in range(40)), ago_ms=3 * DAY_MS)
    server.says("bob", *(f"message {number}" for number in range(40)))
    at_alice = open_alone("bob")
    at_alice.bubbles.last.wait_for()
    floating = at_alice.page.locator("#day")
    expect(floating).to_have_css("opacity", "0")
    at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, 700)")
    expect(floating).to_have_class("floating-day shown")
    shoot(at_alice)
    expect(floating).to_have_class("floating-day")
    expect(floating).to_have_css("opacity", "0")


@pytest.mark.parametrize(
    ("text", "shown", "href"),
    [
        ("see https://example.com/a?b=c&d#e.", "https://example.com/a?b=c&d#e", "https://example.com/a?b=c&d#e"),
        ("(http://example.com)", "http://example.com", "http://example.com/"),
        ("https://en.wikipedia.org/wiki/Ray_(film)", None, "https://en.wikipedia.org/wiki/Ray_(film)"),
        ("HTTPS://EXAMPLE.COM/", None, "https://example.com/"),
        ("https://example.com\u202e/moc.live", "https://example.com", "https://example.com/"),
        ("http://127.0.0.1:8642/#/a/b!", "http://127.0.0.1:8642/#/a/b", "http://127.0.0.1:8642/#/a/b"),
    ],
)
def test_links_can_be_followed(
    *, open_alone: OpenAlone, server: FakeServer, text: str, shown: str | None, href: str
) -> None:
    at_alice = open_alone("bob")
    server.says("bob", text)
    link = at_alice.bubbles.locator("a")
    expect(link).to_have_text(shown or text)
    attributes = link.evaluate("(one) => [one.href, one.target, one.rel]")
    assert attributes == [href, "_blank", "noopener noreferrer"]
    assert at_alice.bubbles.evaluate_all("(all) => all.map((one) => one.textContent)") == [text]


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,hi",
        "file:///etc/passwd",
        "example.com",
        "https://",
        "http://[::1",
        "xhttp:/",
    ],
)
def test_only_web_addresses_become_links(open_alone: OpenAlone, server: FakeServer, text: str) -> None:
    at_alice = open_alone("bob")
    server.says("bob", text)
    at_alice.expect_texts(text)
    expect(at_alice.bubbles.locator("a")).to_have_count(0)


@pytest.mark.parametrize("text", ["\n" * 8_000, "line\n" * 1_600, "w" * 8_000, "```x```" * 250])
def test_a_wall_of_text_is_folded_until_the_user_opens_it(open_alone: OpenAlone, server: FakeServer, text: str) -> None:
    at_alice = open_alone("bob")
    server.says("bob", "before", text)
    last = at_alice.page.locator("#entries .message").last
    more = last.get_by_role("button", name="Show all")
    more.wait_for()
    height = "(one) => one.getBoundingClientRect().height"
    assert last.evaluate(height) < 700
    server.says("bob", "after")
    at_alice.bubbles.nth(2).wait_for()
    at_alice.expect_unread("bob", 0)
    more = at_alice.page.get_by_role("button", name="Show all")
    more.click()
    expect(more).to_have_count(0)
    assert at_alice.page.locator("#entries .message").nth(1).evaluate(height) > 1_500


def test_a_text_of_some_lines_is_not_folded(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.says("bob", "line\n" * 20, "word " * 200, "```\ncode\n```\n" * 3)
    at_alice.bubbles.nth(2).wait_for()
    expect(at_alice.page.get_by_role("button", name="Show all")).to_have_count(0)


_TEXT_OVER_TIME = """(bubble) => {
  const range = document.createRange();
  range.selectNodeContents(bubble.querySelector(".text"));
  const time = bubble.querySelector(".foot").getBoundingClientRect();
  return [...range.getClientRects()].filter(({left, right, top, bottom}) =>
    left < time.right - 1 && right > time.left + 1 && top < time.bottom - 4 && bottom > time.top + 4).length;
}"""


@pytest.mark.parametrize(
    "text",
    [
        "\u202e\u2066 gpj.exe",
        "\u202egpj.exe and a text that is long enough to take more than one line of the bubble that it is in, and on",
        "\u2067\u2067\u2067 never closed",
        "\u200f\u05e9\u05dc\u05d5\u05dd hello",
        "a\u202eb\u202dc\u2068d\u2069e",
        "\u202e" * 50 + "deep",
    ],
)
def test_no_override_of_direction_leads_over_the_time(open_alone: OpenAlone, server: FakeServer, text: str) -> None:
    at_alice = open_alone("bob")
    server.says("bob", text)
    server.said("bob", text)
    at_alice.bubbles.nth(1).wait_for()
    for bubble in at_alice.page.locator("#entries .bubble").all():
        assert bubble.evaluate(_TEXT_OVER_TIME) == 0
        assert bubble.locator("time").evaluate("(one) => getComputedStyle(one).direction") == "ltr"


def test_stacked_marks_end_with_their_bubble(open_alone: OpenAlone, server: FakeServer, shoot: Shoot) -> None:
    """Computed: what is painted above the bubble is the same with and without them."""
    at_alice = open_alone("bob")
    server.says("bob", *(f"line {number}" for number in range(5)), STACKED)
    at_alice.bubbles.nth(5).wait_for()
    shoot(at_alice)
    bubble = at_alice.page.locator("#entries .bubble").last
    assert bubble.evaluate("(one) => getComputedStyle(one).overflow") == "clip"
    box = bubble.bounding_box()
    assert box is not None

    def above() -> bytes:
        return at_alice.page.screenshot(clip={"x": box["x"], "y": box["y"] - 60, "width": 100, "height": 58})

    with_marks = above()
    bubble.locator(".text").evaluate("(one) => { one.style.visibility = 'hidden' }")
    assert above() == with_marks


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (FAMILY * 30, 30),
        (ENGLAND * 30, 30),
        ("i" * 199 + "\U0001f600", 200),
        ("Zalgo comes " + STACKED * 3 + " tonight", 12),
    ],
    ids=["families", "flags", "smiley", "marks"],
)
def test_a_preview_ends_with_a_whole_character(
    *, open_alone: OpenAlone, server: FakeServer, text: str, least: int
) -> None:
    at_alice = open_alone()
    server.says("bob", text)
    said = at_alice.page.locator("#announcer > *").last.inner_text().removeprefix("bob: ")
    preview = at_alice.line("bob").locator(".preview bdi").inner_text()
    count = "(text) => [...new Intl.Segmenter('en').segment(text)].length"
    assert "\ufffd" not in said
    assert text.startswith(said.removesuffix("…"))
    assert at_alice.page.evaluate(count, said) >= least
    assert (said == text) is not said.endswith("…")
    assert preview == preview_of(text)  # as the server gives it after a reload


def test_a_long_text_that_waits_ends_in_dots_in_the_list(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.is_silent = True
    at_alice.write("\U0001f600" * 1_000)
    expect(at_alice.line("bob").locator(".preview bdi")).to_have_text("\U0001f600" * 200 + "…")


def test_several_messages_are_copied_with_their_senders_and_times(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.says("bob", "first", "second\nwith a line")
    server.said("bob", "third")
    at_alice.bubbles.nth(2).wait_for()
    copied = """(ends) => {
      const texts = document.querySelectorAll("#entries .text");
      const [first, last] = ends.map(([row, offset]) => [texts[row].firstChild, offset]);
      getSelection().setBaseAndExtent(...first, ...last);
      const data = new DataTransfer();
      const event = new ClipboardEvent("copy", {clipboardData: data, bubbles: true, cancelable: true});
      const isLeft = texts[0].dispatchEvent(event);
      return isLeft ? null : data.getData("text/plain");
    }"""
    time_of = at_alice.page.locator("#entries time").first.inner_text()
    whole = at_alice.page.evaluate(copied, [[0, 0], [2, 5]])
    assert whole == f"[{time_of}] bob: first\n[{time_of}] bob: second\nwith a line\n[{time_of}] alice: third"
    assert at_alice.page.evaluate(copied, [[0, 2], [1, 6]]) == f"[{time_of}] bob: rst\n[{time_of}] bob: second"
    assert at_alice.page.evaluate(copied, [[1, 0], [1, 6]]) is None


def test_emoji_are_larger_and_code_is_set_as_code(open_alone: OpenAlone, server: FakeServer) -> None:
    at_alice = open_alone("bob")
    server.says("bob", FAMILY, "hello " + FAMILY, "look:\n```python\nif x:\n  y()\n```")
    at_alice.bubbles.nth(2).wait_for()
    large, usual = (at_alice.bubbles.nth(n).evaluate("(one) => getComputedStyle(one).fontSize") for n in (0, 1))
    assert float(large.removesuffix("px")) > 1.8 * float(usual.removesuffix("px"))
    expect(at_alice.bubbles.nth(2).locator("code")).to_have_text("if x:\n  y()\n", use_inner_text=False)


@pytest.mark.parametrize(("locale", "weekday"), [("de-DE", "en-GB"), ("en-US", "en-US")])
def test_days_are_in_the_language_of_the_page_and_times_by_the_readers_clock(
    *, open_alone: OpenAlone, server: FakeServer, locale: str, weekday: str
) -> None:
    server.says("bob", "long ago", ago_ms=4 * DAY_MS)
    at_alice = open_alone("bob", locale=locale)
    at_alice.bubbles.first.wait_for()
    script = "([ago, locale]) => new Intl.DateTimeFormat(locale, {weekday: 'long'}).format(Date.now() - ago)"
    day = at_alice.page.evaluate(script, [4 * DAY_MS, weekday])
    assert days(at_alice) == [day]
    expect(at_alice.line("bob").locator("time")).to_have_text(day)
    shown = at_alice.page.locator("#entries time").inner_text()
    assert ("AM" in shown or "PM" in shown) is (locale == "en-US")
