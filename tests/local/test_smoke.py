"""`make smoke`: the demo's conversation on a stack that is deployed."""

from __future__ import annotations

import asyncio

import pytest

from local import demo
from local.__main__ import run_smoke
from local.deployment import STACK, Endpoint, local_secret
from local.emulator import Emulator
from local.progress import StepFailed


@pytest.fixture
def aws(running: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator in AWS's place, for clients that know of no other."""
    for name, value in running.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("aws")
def test_a_deployed_stack_passes_as_often_as_it_is_asked(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run_smoke(STACK, endpoint.url, "query")
        shown = capsys.readouterr().out
        assert f"PASS: everything works on {endpoint.url}" in shown
        assert "NOT" not in shown


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("place", ["header", "subprotocol"])
def test_one_that_does_not_do_what_it_should_fails(endpoint: Endpoint, place: str) -> None:
    with pytest.raises(StepFailed, match=f"FAIL: {endpoint.url} does not do what it should"):
        run_smoke(STACK, endpoint.url, place)  # type: ignore[arg-type]


@pytest.mark.usefixtures("aws")
def test_a_stack_that_is_not_there_is_said_so() -> None:
    with pytest.raises(StepFailed, match="cannot read where Parley-nowhere is"):
        run_smoke("Parley-nowhere", None, "query")


def test_the_running_local_deployment_passes(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Endpoint, "read", lambda: endpoint)
    run_smoke(None, None, "query")
    shown = capsys.readouterr().out
    assert "PASS" in shown
    assert local_secret(endpoint) not in shown


def test_what_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ANSWER_SECONDS", 0.1)
    nowhere = demo.Deployed("ws://127.0.0.1:9/nowhere", "a secret of at least thirty-two characters")
    with pytest.raises(StepFailed, match="the conversation ended early"):
        asyncio.run(demo.converse(nowhere))
