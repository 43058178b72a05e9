"""User ids of every length that identity providers give, on every screen; and none that passes for another."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import Shoot
from tests.browser.person import Person

UUID = "3f2b8c1e-7d4a-4e9b-9c55-0a1b2c3d4e5f"
EMAIL = "wilhelmina.featherstonehaugh@department.example.com"[:50]
LONGEST = "w" * 128
IDS = {"uuid": UUID, "email": EMAIL, "longest": LONGEST}
WIDTHS = {320: 568, 390: 844, 768: 1024, 900: 700, 1280: 800}

_STICKING_OUT = """() => {
  // An ellipsis takes the place of what a box does not show.
  const isCut = (one) => one.parentElement?.matches(".me, .who h2, .name, .preview, .preview *") ?? false;
  const isBehindEdge = ({left, right}) => left < -0.5 || right > innerWidth + 0.5;
  return [...document.querySelectorAll("#app *, #sign-in *")]
    .filter((one) => one.checkVisibility() && !isCut(one) && !one.closest(".visually-hidden, svg"))
    .filter((one) => isBehindEdge(one.getBoundingClientRect()))
    .map((one) => `${one.tagName} ${one.id} ${one.className}`);
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", IDS)
def test_nothing_sticks_out(open_alone: OpenAlone, server: FakeServer, width: int, kind: str) -> None:
    """With an id of this kind as oneself, and another one as the peer."""
    user, peer = IDS[kind], IDS[kind].swapcase()
    server.user = server.chat.user = user
    at_user = open_alone(viewport={"width": width, "height": WIDTHS[width]}, has_touch=width < 800)
    server.says(peer, "hello")
    server.said(peer, "hello to you, too, and a few words more than fit into a line of a phone")
    at_user.line(peer).wait_for()
    _expect_in_view(at_user, at_user.page.get_by_role("button", name="Switch user"))
    _expect_in_view(at_user, at_user.page.get_by_role("button", name="Open the chat"))
    at_user.line(peer).click()
    at_user.bubbles.nth(1).wait_for()
    _expect_in_view(at_user, at_user.page.get_by_role("button", name="Send", exact=True))
    _expect_in_view(at_user, at_user.bubble("hello").locator(".bubble"))
    at_user.expect_nothing_sticks_out()


def _expect_in_view(person: Person, one: Locator) -> None:
    assert person.page.evaluate(_STICKING_OUT) == []
    box, size = one.bounding_box(), person.page.viewport_size
    assert box is not None
    assert size is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]


@pytest.mark.parametrize("width", [320, 1280])
def test_signing_in_as_the_longest(open_alone: OpenAlone, server: FakeServer, width: int, shoot: Shoot) -> None:
    server.user = server.chat.user = LONGEST
    at_user = open_alone(viewport={"width": width, "height": 568})
    shoot(at_user)
    at_user.page.get_by_role("button", name="Switch user").wait_for()
    assert at_user.page.evaluate(_STICKING_OUT) == []


_PICTURE = """(one, character) => {
  const {font, fontFamily, fontSize, fontWeight} = getComputedStyle(one);
  const context = Object.assign(document.createElement("canvas"), {width: 40, height: 40}).getContext("2d");
  context.font = `${fontWeight} 24px ${fontFamily}`;
  context.fillText(character, 4, 28);
  return [...context.getImageData(0, 0, 40, 40).data].filter((_, index) => index % 4 === 3);
}"""


@pytest.mark.parametrize("pair", ["Il", "1l", "1I", "O0"])
def test_ids_that_look_alike_do_not(open_alone: OpenAlone, server: FakeServer, pair: str) -> None:
    at_alice = open_alone("bob")
    server.says("bob", "hello")
    at_alice.line("bob").wait_for()
    for selector in ("#me", "#peer", "#chats .name", "#new-chat-peer", "#sign-in-value"):
        pictures = [at_alice.page.locator(selector).evaluate(_PICTURE, character) for character in pair]
        different = sum(abs(one - other) > 64 for one, other in zip(*pictures, strict=True))
        assert different >= 8, selector  # of some 100 pixels that a character has


def test_long_ids_in_a_picture(open_alone: OpenAlone, server: FakeServer, shoot: Shoot) -> None:
    server.user = server.chat.user = UUID
    at_user = open_alone(viewport={"width": 390, "height": 844}, has_touch=True)
    for peer in (EMAIL, LONGEST, "bob"):
        server.says(peer, "hello", f"from {peer[:10]}")
    at_user.line("bob").wait_for()
    shoot(at_user, "chats")
    at_user.line(EMAIL).click()
    server.said(EMAIL, "hello to you")
    at_user.bubbles.nth(2).wait_for()
    shoot(at_user, "conversation")
