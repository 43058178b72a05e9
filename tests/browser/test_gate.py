"""A web page of another origin on this machine, in a real browser, against the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from local.deployment import Endpoint, local_client
from local.emulator import Emulator
from tests.browser.conftest import NewContext
from tests.local.somebody_else import somebody_else

PAGE = b"""HTTP/1.1 200 OK\r
Content-Type: text/html\r
Connection: close\r
\r
<!doctype html><title>An innocent page</title>
<form method="post" enctype="text/plain"><input name="x" value="y"></form>
"""

FETCH = """async (url) => {
    try { return (await fetch(url, {method: "POST", body: "Action=ListTopics&Version=2010-03-31"})).type }
    catch (error) { return "blocked" }
}"""

POST_A_FORM = "(url) => { const form = document.querySelector('form'); form.action = url; form.submit(); }"

OPEN_A_SOCKET = """(url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture
def innocent(browser: Browser) -> Iterator[str]:
    with somebody_else(PAGE) as port:
        yield f"http://127.0.0.1:{port}/"


def test_a_page_elsewhere_on_this_machine_gets_nothing_out_of_the_emulator(
    new_context: NewContext, innocent: str, running: Emulator, endpoint: Endpoint
) -> None:
    cloudformation = local_client("cloudformation", endpoint)
    link = cloudformation.generate_presigned_url("list_stacks", HttpMethod="GET")
    page = new_context().new_page()

    page.goto(innocent)
    assert page.evaluate(FETCH, running.endpoint) == "blocked"
    assert page.evaluate(OPEN_A_SOCKET, f"{endpoint.url}?token=any") == "refused"

    with page.expect_navigation() as by_script:
        page.evaluate("(url) => { location.href = url }", link)
    assert by_script.value.status == 403
    assert page.goto(link, referer=innocent).status == 403  # type: ignore[union-attr]

    page.goto(innocent)
    with page.expect_navigation() as by_form:
        page.evaluate(POST_A_FORM, f"{running.endpoint}/_ministack/reset")
    assert by_form.value.status == 403

    assert cloudformation.list_stacks()["StackSummaries"]
    refused = running.log.read_text()
    assert "Refused WebSocket" in refused
    assert "Refused POST '/': this is not for browsers" in refused
