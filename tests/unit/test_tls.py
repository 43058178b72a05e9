"""Connections share the roots that they trust, and trust no others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ssl import SSLContext
from threading import Barrier
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import SSLError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from chat import sdk
from chat.api_gateway import ApiGateway
from chat.tls import _context, share_roots
from tests.hang import HANG_SECONDS
from tests.issuer import served

SIDE_BY_SIDE = 4


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Where a server listens, and the certificate that its clients have to trust."""
    _context.cache_clear()
    with served(tmp_path) as (issuer, certificate):
        yield f"{issuer.issuer}/keys", certificate
    _context.cache_clear()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of roots that were read."""
    files: list[str] = []
    load = SSLContext.load_verify_locations

    def noted(context: SSLContext, file: str, *others: Any) -> None:
        files.append(file)
        load(context, file, *others)

    monkeypatch.setattr(SSLContext, "load_verify_locations", noted)
    return files


def session(roots: Path) -> Any:
    http = URLLib3Session(verify=str(roots), max_pool_connections=SIDE_BY_SIDE)  # type: ignore[arg-type]
    share_roots(http)
    return http


def status(http: Any, url: str) -> int:
    """That of an answer over a new connection."""
    answered: int = http.send(AWSRequest("GET", url, {"Connection": "close"}).prepare()).status_code
    return answered


def test_roots_are_read_once_for_all_connections(trusted: tuple[str, Path], read: list[str]) -> None:
    url, certificate = trusted
    one, other = session(certificate), session(certificate)

    assert [status(http, url) for http in (one, one, other)] == [200, 200, 200]
    assert read == [str(certificate)]


def test_connections_that_open_side_by_side_read_them_once(trusted: tuple[str, Path], read: list[str]) -> None:
    url, certificate = trusted
    http, ready = session(certificate), Barrier(SIDE_BY_SIDE, timeout=HANG_SECONDS)

    def ask(_: int) -> int:
        ready.wait()
        return status(http, url)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as executor:
        assert list(executor.map(ask, range(SIDE_BY_SIDE))) == SIDE_BY_SIDE * [200]
    assert read == [str(certificate)]


def test_nobody_else_is_trusted(trusted: tuple[str, Path], tmp_path: Path) -> None:
    """Whoever trusts one file does not trust another that was read in the same process."""
    url, certificate = trusted
    assert status(session(certificate), url) == 200

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with served(elsewhere) as (_, another), pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        status(session(another), url)


def test_another_hosts_certificate_is_refused(trusted: tuple[str, Path]) -> None:
    url, certificate = trusted
    with pytest.raises(SSLError, match="localhost"):
        status(session(certificate), url.replace("127.0.0.1", "localhost"))


def test_a_file_that_cannot_be_read_fails_each_call_and_is_tried_again(trusted: tuple[str, Path]) -> None:
    url, certificate = trusted
    missing = certificate.with_name("missing.pem")
    http = session(missing)
    for _ in range(2):
        with pytest.raises(SSLError):
            status(http, url)

    missing.write_bytes(certificate.read_bytes())
    assert status(http, url) == 200


def test_clients_and_pushes_share_one_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):  # a developer's, which only one of the two heeds
        monkeypatch.delenv(name, raising=False)
    table: Any = sdk.client("dynamodb")
    gateway: Any = ApiGateway(Session(), "https://abc123.execute-api.us-east-1.amazonaws.com/dev")

    assert _used(table._endpoint.http_session) is _used(gateway._http)

    monkeypatch.setenv("PLAIN_SDK", "1")
    plain: Any = sdk.client("dynamodb")
    assert _used(plain._endpoint.http_session) is not _used(gateway._http)


def _used(http: Any) -> object:
    return http._manager.connection_pool_kw["ssl_context"]
