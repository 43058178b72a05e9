"""What a web page, or another program, can do to the emulator on this machine: nothing."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from local.emulator import Emulator, emulator
from tests.hang import HANG_SECONDS

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
KEEPSAKE = "what-a-reset-would-take"
KNOWN = ("test", "000000000000", "AKIAIOSFODNN7EXAMPLE")
"""Key ids that the emulator takes for the account's own by itself, and one that nobody has."""

NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
NAVIGATION_BY_HAND = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"}
FETCH = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://127.0.0.1:8888"}
FROM_A_FILE = {"Origin": "null"}
BROWSERS = {
    "a link": NAVIGATION,
    "an address that was typed": NAVIGATION_BY_HAND,
    "a script of another loopback origin": FETCH,
    "an old browser's script": {"Origin": "https://evil.example"},
    "a sandboxed frame": FROM_A_FILE,
    "an image": {"Sec-Fetch-Dest": "image"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("gate") / "emulator") as started:
        client(started, "sns").create_topic(Name=KEEPSAKE)
        yield started


def client(running: Emulator, service: str, key_id: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=running.endpoint,
        region_name="us-east-1",
        aws_access_key_id=running.access_key_id if key_id is None else key_id,
        aws_secret_access_key=running.secret_access_key if key_id is None else "test",
    )


def ask(running: Emulator, method: str, target: str, body: str | None = None, **headers: str) -> HTTPResponse:
    with closing(HTTPConnection("127.0.0.1", running.port, timeout=HANG_SECONDS)) as connection:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def stack_by_link(running: Emulator, name: str, key_id: str | None = None) -> str:
    """A link that deploys: with a function in the template, it runs a program on this machine."""
    parameters = {"StackName": name, "TemplateBody": TEMPLATE}
    link = client(running, "cloudformation", key_id).generate_presigned_url(
        "create_stack", parameters, HttpMethod="GET"
    )
    return "{0.path}?{0.query}".format(urlsplit(link))


def stacks(running: Emulator) -> set[str]:
    return {stack["StackName"] for stack in client(running, "cloudformation").describe_stacks()["Stacks"]}


def test_a_program_that_holds_the_key_of_this_run_may_do_everything(running: Emulator) -> None:
    assert ask(running, "GET", stack_by_link(running, "by-program")).status == 200
    assert "by-program" in stacks(running)


@pytest.mark.parametrize("headers", BROWSERS.values(), ids=BROWSERS)
def test_a_link_of_a_web_page_deploys_nothing_even_with_the_right_key(
    running: Emulator, headers: dict[str, str]
) -> None:
    assert ask(running, "GET", stack_by_link(running, "by-page"), **headers).status == 403
    assert "by-page" not in stacks(running)


@pytest.mark.parametrize("key_id", KNOWN)
def test_well_known_credentials_are_worth_nothing(running: Emulator, key_id: str) -> None:
    assert ask(running, "GET", stack_by_link(running, "by-guess", key_id)).status == 403
    for service, call in (("secretsmanager", "list_secrets"), ("lambda", "list_functions"), ("iam", "list_roles")):
        with pytest.raises(ClientError, match="not signed with a key of this run"):
            getattr(client(running, service, key_id), call)()
    assert "by-guess" not in stacks(running)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/?Action=ListTopics&Version=2010-03-31", None),
        ("POST", "/", "Action=ListTopics&Version=2010-03-31"),
        ("GET", "/", None),
        ("GET", "/2015-03-31/functions/", None),
        ("PUT", "/a-bucket", None),
        ("GET", "/oauth2/authorize", None),
    ],
)
def test_nothing_is_answered_without_a_signature(running: Emulator, method: str, target: str, body: str | None) -> None:
    answer = ask(running, method, target, body, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 403


ADMINISTRATION = [
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/reset?init=1"),
    ("POST", "/%5Fministack/reset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/lambda-code/any"),
    ("GET", "/_ministack/health"),
    ("GET", "/_localstack/health"),
    ("GET", "/health"),
    ("POST", "/_ministack/rds/iam-auth"),
    ("PUT", "/_ministack/cfn-response/any"),
]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("method", "target"), ADMINISTRATION)
def test_the_emulators_own_pages_are_closed_to_all(
    *, running: Emulator, method: str, target: str, signed: bool
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    key = {"Authorization": f"AWS4-HMAC-SHA256 Credential={running.access_key_id}/"} if signed else {}
    assert ask(running, method, target, "{}", **form, **key).status == 403
    topics = client(running, "sns").list_topics()["Topics"]
    assert any(topic["TopicArn"].endswith(KEEPSAKE) for topic in topics)


def test_a_preflight_gets_no_permission(running: Emulator) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-amz-target"}
    answer = ask(running, "OPTIONS", "/", **FETCH, **asking)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "abc.cloudfront.localhost:{port}",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_a_foreign_name_that_leads_here_gets_nothing(running: Emulator, host: str) -> None:
    link = stack_by_link(running, "by-rebinding")
    assert ask(running, "GET", link, Host=host.format(port=running.port)).status == 403
    assert ask(running, "GET", "/_parley/process", Host=host.format(port=running.port)).status == 403
    assert "by-rebinding" not in stacks(running)


def test_a_web_page_does_not_even_learn_which_process_it_is(running: Emulator) -> None:
    assert ask(running, "GET", "/_parley/process").status == 200
    assert ask(running, "GET", "/_parley/process", **NAVIGATION).status == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1:{port}", "file://"],
)
def test_another_pages_websocket_is_refused(running: Emulator, origin: str) -> None:
    assert handshake(running, Origin=origin.format(port=running.port)) == 403


def test_the_websocket_of_our_page_and_of_a_program_reaches_the_emulator(running: Emulator) -> None:
    running.admit("http://127.0.0.1:8642/")
    asked = "Refused WebSocket"
    before = running.log.read_text().count(asked)
    handshake(running)
    handshake(running, Origin="http://127.0.0.1:8642")
    assert running.log.read_text().count(asked) == before
    handshake(running, Origin="http://127.0.0.1:8643")
    assert running.log.read_text().count(asked) == before + 1


@pytest.mark.parametrize("path", ["/", "/mqtt", "/event/realtime", "/_aws/other"])
def test_there_is_no_other_websocket(running: Emulator, path: str) -> None:
    assert handshake(running, path) == 403


def handshake(running: Emulator, path: str = "/_aws/execute-api/nothing/local", **headers: str) -> int:
    """The status of a WebSocket's handshake."""
    url = f"ws://127.0.0.1:{running.port}{path}"
    try:
        with connect(url, additional_headers=headers, proxy=None, open_timeout=HANG_SECONDS, ping_interval=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_each_run_has_a_key_of_its_own_that_nothing_shows(running: Emulator, tmp_path: Path) -> None:
    with emulator(tmp_path / "another") as another:
        assert another.access_key_id != running.access_key_id
        with pytest.raises(ClientError, match="not signed with a key of this run"):
            client(another, "sns", running.access_key_id).list_topics()
    assert running.access_key_id not in repr(running)
    assert running.secret_access_key not in repr(running)
    assert running.access_key_id not in running.log.read_text()


def test_what_is_kept_is_found_again_with_the_key_of_the_next_run(tmp_path: Path) -> None:
    with emulator(tmp_path, keep=True) as first:
        client(first, "secretsmanager").create_secret(Name="kept", SecretString="still here")
    with emulator(tmp_path, keep=True) as second:
        secrets = client(second, "secretsmanager")
        assert secrets.get_secret_value(SecretId="kept")["SecretString"] == "still here"
    open_to_others = [path for path in [tmp_path, *tmp_path.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []
    assert stat.S_IMODE((tmp_path / "emulator.log").stat().st_mode) == 0o600


def test_what_was_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("emulator.log", "functions.log", "calls.log"):
        (tmp_path / name).touch(mode=0o644)
    with emulator(tmp_path) as running:
        found = {
            path.name: path.stat().st_mode & 0o077
            for path in [tmp_path, running.log, running.function_log, running.calls]
        }
    assert set(found.values()) == {0}


def test_a_hosted_page_may_be_read_by_browsers_where_that_was_asked_for_and_nothing_more(tmp_path: Path) -> None:
    by_hand = urlencode({"Action": "CreateStack", "StackName": "by-page", "TemplateBody": TEMPLATE})
    with emulator(tmp_path, anonymous_reads=True) as running:
        ask(running, "GET", "/page", Host=f"abc.cloudfront.localhost:{running.port}", **NAVIGATION)
        refused = [
            ask(running, "GET", stack_by_link(running, "by-page"), **NAVIGATION),
            ask(running, "GET", stack_by_link(running, "by-page", "test"), **NAVIGATION),
            ask(running, "GET", f"/?{by_hand}"),
            ask(running, "POST", "/", "Action=ListTopics&Version=2010-03-31", **FETCH),
            ask(running, "POST", "/_ministack/reset", **FETCH),
            ask(running, "GET", "/_ministack/health", **NAVIGATION),
        ]
        assert [answer.status for answer in refused] == [403] * len(refused)
        assert stacks(running) == set()
        log = running.log.read_text()
        assert "/_ministack/health" in log
        assert "'/page'" not in log
