"""The Lambda asset: what is in it, and when its hash changes."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from stacks import functions
from stacks.functions import SOURCE, BundlingFailed, PipBundling
from stacks.roots import aws_roots
from tests.stack.conftest import NO_BUNDLING


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, without what tools have left in them, that is bundled in their place."""
    copy = tmp_path / "lambda_src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    monkeypatch.setattr(functions, "SOURCE", copy)
    return copy


def leave_behind_what_tools_do(source: Path) -> None:
    for litter in ("__pycache__/message.pyc", "chat/__pycache__/table.pyc", ".mypy_cache/x", "chat/.ruff_cache/x"):
        (source / litter).parent.mkdir(exist_ok=True)
        (source / litter).write_text("litter")


def asset_hash() -> str:
    stack = cdk.Stack(cdk.App(context=NO_BUNDLING), "Stack")
    handler, runtime = "message.handler", functions.RUNTIME
    lambda_.Function(stack, "Function", code=functions.asset(), handler=handler, runtime=runtime)
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    return str(function["Properties"]["Code"]["S3Key"])


def test_bundle_holds_the_handlers_their_package_and_its_dependencies(tmp_path: Path, source: Path) -> None:
    leave_behind_what_tools_do(source)
    bundle = tmp_path / "bundle"

    assert PipBundling().try_bundle(str(bundle))

    top = {path.name for path in bundle.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"authorizer.py", "connection.py", "message.py", "chat", "jwt", "roots.pem"}
    assert {path.name for path in (bundle / "chat").iterdir()} == {path.name for path in (SOURCE / "chat").glob("*.py")}
    assert not [path for path in bundle.rglob("*") if path.suffix == ".pyc" or path.name == "tests"]


def test_pip_that_fails_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    with pytest.raises(BundlingFailed) as problem:
        PipBundling().try_bundle(str(tmp_path / "bundle"))

    sentence = str(problem.value)
    assert sentence.startswith("error: pip could not install lambda_src/requirements.txt")
    assert "check the network" in sentence
    assert "\n" not in sentence
    assert "PyJWT" in capfd.readouterr().err, "pip's own words are shown"


def test_hash_is_the_same_whatever_tools_leave_beside_the_sources(source: Path) -> None:
    clean = asset_hash()
    leave_behind_what_tools_do(source)

    assert asset_hash() == clean


@pytest.mark.parametrize("file", ["message.py", "chat/table.py", "requirements.txt"])
def test_hash_changes_with_the_sources(source: Path, file: str) -> None:
    before = asset_hash()
    with (source / file).open("a") as text:
        text.write("# a change\n")

    assert asset_hash() != before


def test_bundle_trusts_the_roots_that_aws_asks_for_and_few_others(tmp_path: Path) -> None:
    path = tmp_path / "roots.pem"
    path.write_text(aws_roots())

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)

    certificates: Any = context.get_ca_certs()
    names = {dict(pair for (pair,) in certificate["subject"]).get("commonName") for certificate in certificates}
    assert names >= {f"Amazon Root CA {number}" for number in range(1, 5)}
    assert "Starfield Services Root Certificate Authority - G2" in names
    assert len(names) < 20


def test_hash_changes_with_the_roots(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asset_hash()
    monkeypatch.setattr(functions, "aws_roots", lambda: "others")

    assert asset_hash() != before


def test_hash_changes_with_the_platform(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asset_hash()
    monkeypatch.setattr(functions, "PYTHON_VERSION", "3.15")

    assert asset_hash() != before
