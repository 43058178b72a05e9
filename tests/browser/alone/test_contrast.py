"""Contrast, computed of whatever is on the screen: WCAG 2.2 AA, in both schemes and in every state of the page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alone.conftest import OpenAlone
from tests.browser.alone.fake_server import FakeServer
from tests.browser.conftest import NewContext, Shoot, address_of
from tests.browser.person import Person

# What is hidden, and what a screen reader alone is told, has no colour. A gradient would need an eye: there is none.
_LOW_CONTRAST = """() => {
  const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {
    willReadFrequently: true});
  const over = (colours) => {  // painted one over the other
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((value) =>
      value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const ancestors = (one) => one ? [...ancestors(one.parentElement), one] : [];
  const grounds = (one) => ["Canvas", ...ancestors(one).map((each) => getComputedStyle(each).backgroundColor)];
  const opacity = (one) => ancestors(one).reduce((all, each) => all * getComputedStyle(each).opacity, 1);
  const isShown = (one) => one.checkVisibility({visibilityProperty: true}) && !one.closest(".visually-hidden");
  const found = [];
  const check = (what, colour, one, ground, least) => {
    const seen = opacity(one);
    if (seen < 1) found.push([`${what} is see-through`, seen]);
    const contrast = ratio(over([...ground, colour]), over(ground));
    if (contrast < least) found.push([what, Math.round(contrast * 100) / 100]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !isShown(one)) continue;
    texts += 1;
    const {color, fontSize, fontWeight} = getComputedStyle(one);
    const size = parseFloat(fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && fontWeight >= 700);
    check(`"${walker.currentNode.data.slice(0, 30)}" in .${one.className}`,
        color, one, grounds(one), isLarge ? 3 : 4.5);
  }
  for (const field of document.querySelectorAll("input, textarea")) {
    if (!isShown(field)) continue;
    const style = getComputedStyle(field);
    check(`edge of #${field.id}`, style.borderTopColor, field, grounds(field.parentElement), 3);
    check(`placeholder of #${field.id}`, getComputedStyle(field, "::placeholder").color, field, grounds(field), 4.5);
    check(`text of #${field.id}`, style.color, field, grounds(field), 4.5);
  }
  for (const icon of document.querySelectorAll("svg.icon")) {
    if (!isShown(icon)) continue;
    check(`icon in .${icon.parentElement.className}`, getComputedStyle(icon).color, icon, grounds(icon), 3);
  }
  for (const dot of document.querySelectorAll(".online")) {
    if (isShown(dot)) {
      const {backgroundColor, borderTopColor} = getComputedStyle(dot);
      check("online", backgroundColor, dot, [...grounds(dot.parentElement), borderTopColor], 3);
    }
  }
  return {texts, found};
}"""


def expect_contrast(page: Page, *, least_texts: int = 1) -> None:
    seen: dict[str, Any] = page.evaluate(_LOW_CONTRAST)
    assert seen["found"] == []
    assert seen["texts"] >= least_texts


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_conversation_in_every_state(*, open_alone: OpenAlone, server: FakeServer, shoot: Shoot, scheme: str) -> None:
    server.chat.online |= {"bob", "carol"}
    server.says("bob", "from yesterday", ago_ms=86_400_000)
    server.says("carol", "unread")
    at_alice = open_alone("bob", color_scheme=scheme)
    server.says("bob", "hello https://example.com", "```\ncode\n```", "\n" * 100)
    for text in ("read", "delivered", "stored"):
        at_alice.say(text)
    last = len(server.chat.logs["bob"])
    server.push({"type": "receipt", "from": "bob", "peer": "alice", "kind": "read", "seq": last - 2, "ts": 1})
    server.push({"type": "receipt", "from": "bob", "peer": "alice", "kind": "delivered", "seq": last - 1, "ts": 1})
    at_alice.expect_state("read", "read")
    at_alice.expect_state("delivered", "delivered")
    server.refused = "bob takes none"
    at_alice.write("refused")
    at_alice.expect_state("refused", "not sent")
    server.refused, server.is_silent = None, True
    at_alice.write("queued")
    at_alice.expect_state("queued", "waiting to be sent")
    at_alice.field.fill("x" * 9_000)
    server.push({"type": "typing", "from": "carol", "state": "composing", "ts": 1})
    expect(at_alice.line("carol")).to_contain_text("typing…")
    expect_contrast(at_alice.page, least_texts=20)
    at_alice.line("bob").hover()
    expect_contrast(at_alice.page)
    at_alice.page.locator("#messages").evaluate("(one) => one.scrollTo(0, 0)")
    shoot(at_alice, scheme)


def test_list_without_a_conversation_and_with_a_problem(
    *, open_alone: OpenAlone, server: FakeServer, shoot: Shoot, scheme: str
) -> None:
    server.chat.online.add("bob")
    server.says("bob", "hello")
    server.said("carol", "hi")
    at_alice = open_alone(color_scheme=scheme)
    at_alice.line("bob").wait_for()
    expect_contrast(at_alice.page, least_texts=6)
    field = at_alice.page.get_by_label("User id to write to")
    field.fill("no such user")
    field.press("Enter")
    at_alice.page.get_by_text("it contains a space").wait_for()
    expect_contrast(at_alice.page)
    field.fill("bo")
    at_alice.page.get_by_role("button", name="Write to bo", exact=True).wait_for()
    expect_contrast(at_alice.page)
    shoot(at_alice, scheme)


def test_banner(*, open_alone: OpenAlone, server: FakeServer, scheme: str) -> None:
    at_alice = open_alone("bob", color_scheme=scheme)
    server.is_away = True
    server.drop()
    at_alice.expect_disconnected()
    expect_contrast(at_alice.page)


def test_sign_in(new_context: NewContext, address: str, shoot: Shoot, scheme: str) -> None:
    page = new_context(color_scheme=scheme).new_page()
    page.goto(address_of(address, "bob smith"))
    page.get_by_label("User id", exact=True).fill("bob smith")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("it contains a space").wait_for()
    expect_contrast(page, least_texts=6)
    shoot(Person(page, "bob"), scheme)


def test_the_measure_finds_what_is_too_pale(open_alone: OpenAlone) -> None:
    at_alice = open_alone("bob")
    at_alice.page.locator("#peer").evaluate("(one) => { one.style.color = '#999' }")
    seen = at_alice.page.evaluate(_LOW_CONTRAST)
    assert [what for what, _ in seen["found"]] == ['"bob" in .id'], json.dumps(seen)
    at_alice.page.locator("#peer").evaluate("(one) => { one.style.color = ''; one.style.opacity = 0.5 }")
    assert at_alice.page.evaluate(_LOW_CONTRAST)["found"] == [['"bob" in .id is see-through', 0.5]]
