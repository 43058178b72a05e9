"""The page as the stack hosts it, on the emulator: its own bucket, distribution and headers.

The emulator cannot run the CDK's function that copies the files, so here they are put by hand.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from local.deployment import STACK, STATE, Endpoint, deploy, local_client
from local.emulator import emulator
from stacks import web_hosting
from stacks.web_hosting import SignIn
from tests.browser.conftest import NewContext, Shoot, watch
from tests.browser.person import Person
from tests.hang import HANG_SECONDS

BY_HTTPS = {"X-Forwarded-Proto": "https"}
"""Makes the emulator's CloudFront, which speaks HTTP only, take a request for one by HTTPS."""


@dataclass(frozen=True)
class Hosted:
    """A deployment that hosts its page."""

    endpoint: Endpoint
    url: str
    bucket: str

    @property
    def host(self) -> str:
        return str(urlsplit(self.url).hostname)

    @property
    def local_url(self) -> str:
        """Where a browser finds the page: any name below localhost leads to this machine."""
        port = urlsplit(self.endpoint.endpoint_url).port
        return f"http://{self.host.partition('.')[0]}.cloudfront.localhost:{port}/"

    def get(self, host: str, path: str, **headers: str) -> HTTPResponse:
        """What the emulator answers to a request for a name that does not lead to it."""
        connection = HTTPConnection(urlsplit(self.endpoint.endpoint_url).netloc, timeout=HANG_SECONDS)
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def hosted() -> Iterator[Hosted]:
    # The exception: the emulator's distribution and bucket are reached by a browser, and without a signature.
    with emulator(STATE / "hosted", anonymous_reads=True) as running:
        endpoint = deploy(running, "web=true", "identity=open")
        stack = {"StackName": STACK}
        cloudformation, s3 = local_client("cloudformation", endpoint), local_client("s3", endpoint)
        outputs = cloudformation.describe_stacks(**stack)["Stacks"][0]["Outputs"]
        (url,) = (output["OutputValue"] for output in outputs if output["OutputKey"] == "WebUrl")
        resources = cloudformation.describe_stack_resources(**stack)["StackResources"]
        (bucket,) = (one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::S3::Bucket")
        files = {path: file.read_bytes() for path, file in web_hosting.files().items()}
        files[web_hosting.CONFIG] = json.dumps(web_hosting.config(endpoint.url, SignIn.OPEN)).encode()
        for name, body in files.items():
            s3.put_object(Bucket=bucket, Key=name, Body=body, ContentType=mimetypes.guess_type(name)[0])
        hosted = Hosted(endpoint, url, bucket)
        running.admit(hosted.local_url)
        yield hosted


@pytest.mark.parametrize("path", ["/", "/app.js"])
def test_it_comes_by_https_only(hosted: Hosted, path: str) -> None:
    answer = hosted.get(hosted.host, path)
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{hosted.host}{path}")


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/app.js", 200), ("/config.json", 200), ("/nothing", 403)])
def test_every_answer_is_guarded(hosted: Hosted, path: str, status: int) -> None:
    answer = hosted.get(hosted.host, path, **BY_HTTPS)
    assert answer.status == status
    assert web_hosting.headers(hosted.endpoint.url).items() <= dict(answer.headers).items()
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_nobody_reads_the_bucket_but_the_distribution(hosted: Hosted) -> None:
    path = f"/{hosted.bucket}/index.html"
    assert hosted.get(urlsplit(hosted.endpoint.endpoint_url).netloc, path, **BY_HTTPS).status == 403
    s3 = local_client("s3", hosted.endpoint)
    policy = s3.get_bucket_policy(Bucket=hosted.bucket)["Policy"]
    without_grant = json.loads(policy)
    without_grant["Statement"] = [one for one in without_grant["Statement"] if one["Effect"] == "Deny"]
    s3.put_bucket_policy(Bucket=hosted.bucket, Policy=json.dumps(without_grant))
    try:
        assert hosted.get(hosted.host, "/", **BY_HTTPS).status == 403
    finally:
        s3.put_bucket_policy(Bucket=hosted.bucket, Policy=policy)
    assert hosted.get(hosted.host, "/", **BY_HTTPS).status == 200


def test_two_people_talk_where_everybody_is_believed(
    new_context: NewContext, hosted: Hosted, shoot: Shoot, alice: str, bob: str
) -> None:
    errors: list[str] = []
    people = [Person(new_context(extra_http_headers=BY_HTTPS).new_page(), name) for name in (alice, bob)]
    for person in people:
        watch(person.page, errors)
        person.page.goto(hosted.local_url)
        expect(person.page.get_by_text("does not check who you are")).to_be_visible()
        person.page.get_by_label("User id", exact=True).fill(person.name)
        person.page.get_by_role("button", name="Continue").click()
        person.expect_connected()
    at_alice, at_bob = people
    at_alice.open_chat(bob)
    at_alice.say("hello")
    at_bob.line(alice).click()
    at_bob.say("hi")
    at_alice.page.reload()
    for person in people:
        person.expect_texts("hello", "hi")
    shoot(at_alice)
    assert errors == []
