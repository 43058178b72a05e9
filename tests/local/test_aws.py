"""What AWS needs is said before anything slow begins, and in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws import check_access
from local.deployment import Endpoint, deployed_secret, local_secret
from local.emulator import Emulator, emulator
from local.progress import StepFailed
from tests.local.somebody_else import somebody_else

REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>InvalidClientTokenId</Code>"
    b"<Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>"
)
HOTEL = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!doctype html>Welcome! Room number?"
FILES = {
    "a byte order mark": "\ufeff[default]\nregion = eu-central-1\n",
    "a section twice": "[default]\nregion = a\n[default]\nregion = b\n",
    "half a section": "[default\nregion = eu-central-1\n",
    "a session that is not there": "[default]\nsso_session = nothing\nsso_account_id = 1\nsso_role_name = x\n",
    "a number that is none": "[default]\nmax_attempts = zero\nregion = eu-central-1\n",
}


pytestmark = pytest.mark.usefixtures("settings")


def has_key(monkeypatch: pytest.MonkeyPatch, endpoint: str = "http://127.0.0.1:9") -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


def test_without_a_region() -> None:
    with pytest.raises(StepFailed, match="no AWS region is chosen; set AWS_DEFAULT_REGION"):
        check_access()


def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(StepFailed, match=r"no AWS credentials were found \(.*[^.]\); set AWS_PROFILE.*cdk bootstrap"):
        check_access()


def test_with_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    with pytest.raises(StepFailed, match=r"settings cannot be used \(.*nosuch.*set AWS_PROFILE"):
        check_access()


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    has_key(monkeypatch)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(StepFailed, match=r"cannot be reached .*check the network"):
        check_access()
    with pytest.raises(StepFailed, match=r"cannot be reached .*check the network") as failed:
        deployed_secret("Parley-dev")
    assert "AWS_PROFILE" not in str(failed.value)


def test_without_a_region_a_token_of_a_stack_says_so_in_one_sentence() -> None:
    with pytest.raises(
        StepFailed, match=r"^cannot read the signing secret of Parley-dev: no AWS region is chosen; set"
    ):
        deployed_secret("Parley-dev")


def test_with_credentials_that_aws_does_not_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with somebody_else(REFUSAL) as port:
        has_key(monkeypatch, f"http://127.0.0.1:{port}")
        with pytest.raises(StepFailed, match=r"does not accept these credentials .*is invalid\); sign in again"):
            check_access()


def test_where_something_else_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with somebody_else(HOTEL) as port:
        has_key(monkeypatch, f"http://127.0.0.1:{port}")
        with pytest.raises(StepFailed, match="something else answered"):
            check_access()


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_with_a_file_that_cannot_be_used(text: str, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings / "config").write_text(text)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(StepFailed):
        check_access()


# This machine


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("aws") / "emulator") as started:
        yield started


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_what_runs_here_asks_for_no_setting_of_aws(
    text: str, running: Emulator, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings / "config").write_text(text)
    for name, value in {"AWS_PROFILE": "nosuch", "AWS_MAX_ATTEMPTS": "zero", "AWS_ENDPOINT_URL": "http://x"}.items():
        monkeypatch.setenv(name, value)
    # It is asked, and has no such stack.
    with pytest.raises(StepFailed, match="does not exist"):
        local_secret(endpoint(running))


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_what_runs_here_is_reached_without_a_proxy(
    name: str, tmp_path: Path, running: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with emulator(tmp_path):
        pass
    with pytest.raises(StepFailed, match="does not exist"):
        local_secret(endpoint(running))


def endpoint(running: Emulator) -> Endpoint:
    return Endpoint(
        "", "", "local", "", running.endpoint, "us-east-1", running.access_key_id, running.secret_access_key
    )
