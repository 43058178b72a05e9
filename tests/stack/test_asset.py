"""The Lambda asset: what is in it, and when its hash changes."""

from __future__ import annotations

import os
import runpy
import shutil
import ssl
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from botocore.loaders import Loader
from botocore.model import ServiceModel

from stacks import functions
from stacks.bundle import MODELS, compile_sources, write_sources
from stacks.functions import SOURCE, BundlingFailed, PipBundling
from stacks.models import OPERATIONS
from stacks.roots import aws_roots
from tests.stack.conftest import NO_BUNDLING, Synthesize
from tests.stack.test_permissions import allowed


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


def test_bundle_holds_the_handlers_their_package_and_its_dependencies(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "CACHE_TAG", sys.implementation.cache_tag)
    leave_behind_what_tools_do(source)
    bundle = tmp_path / "bundle"

    assert PipBundling().try_bundle(str(bundle))

    top = {path.name for path in bundle.iterdir() if not path.name.endswith(".dist-info")}
    ours = {"authorizer.py", "connection.py", "message.py", "chat"}
    assert top == ours | {"__pycache__", "jwt", "models", "roots.pem"}
    chat = {path.name for path in (bundle / "chat").iterdir()} - {"__pycache__"}
    assert chat == {path.name for path in (SOURCE / "chat").glob("*.py")}
    sources = set(bundle.rglob("*.py"))
    assert set(bundle.rglob("*.pyc")) == {Path(cache_from_source(str(path))) for path in sources}
    assert not [path for path in bundle.rglob("*") if path.name == "tests"]


def test_bundle_holds_no_bytecode_that_the_functions_would_not_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "CACHE_TAG", "cpython-399")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)  # pip

    assert PipBundling().try_bundle(str(tmp_path / "bundle"))

    assert list(tmp_path.rglob("bundle/message.py"))
    assert not list(tmp_path.rglob("*.pyc"))


def test_bundle_is_made_for_the_python_that_the_functions_run_on() -> None:
    assert functions.RUNTIME.name == f"python{functions.PYTHON_VERSION}"


def test_bytecode_counts_only_as_long_as_its_source_stays_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "edited.py"
    source.write_text("value = 1\n")
    compile_sources(tmp_path)
    before = source.stat()
    source.write_text("value = 2\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert runpy.run_path(cache_from_source(str(source)))["value"] == 1
    command = [sys.executable, "-c", "import edited; print(edited.value)"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout == "2\n"


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


def test_roots_are_the_same_text_in_whatever_order_openssl_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ssl.SSLContext.get_ca_certs
    roots = aws_roots()
    monkeypatch.setattr(ssl.SSLContext, "get_ca_certs", lambda *args, **kwargs: listed(*args, **kwargs)[::-1])

    assert aws_roots() == roots


def test_bundle_describes_every_call_that_the_functions_may_make(synthesize: Synthesize) -> None:
    stack = synthesize()
    actions = {action for name in ("message", "connection", "authorizer") for action, _ in allowed(stack, name)}
    granted = {action.removeprefix("dynamodb:") for action in actions if action.startswith("dynamodb:")}

    assert granted == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bundle_describes_a_call_as_the_sdk_does(tmp_path: Path, operation: str) -> None:
    write_sources(SOURCE, tmp_path / "bundle")
    ours = Loader(extra_search_paths=[str(tmp_path / "bundle" / MODELS)])

    assert outline(ours, operation) == outline(Loader(), operation)


def outline(loader: Loader, operation: str) -> Any:
    """What is sent and received in the operation, to the last member."""
    service = loader.load_service_model("dynamodb", "service-2")
    model = ServiceModel(service).operation_model(operation)
    frame = {name: value for name, value in service["operations"][operation].items() if not refers_or_explains(name)}
    return frame, shape(model.input_shape), shape(model.output_shape), [shape(one) for one in model.error_shapes]


def refers_or_explains(name: str) -> bool:
    return name in {"input", "output", "errors", "documentation"}


def shape(one: Any, *outer: str) -> Any:
    if one.name in outer:
        return one.name  # a shape within itself: an attribute may be a list of attributes
    inner = [one.name, *outer]
    members = {name: shape(member, *inner) for name, member in getattr(one, "members", {}).items()}
    parts = [shape(getattr(one, part), *inner) for part in ("member", "key", "value") if hasattr(one, part)]
    return one.name, one.type_name, one.serialization, one.metadata, members, parts


def test_hash_changes_with_the_model(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asset_hash()
    monkeypatch.setattr(functions, "dynamodb_model", lambda: "another")

    assert asset_hash() != before


@pytest.mark.parametrize(("bundling", "same"), [("cpython-311", True), (functions.CACHE_TAG, False)])
def test_hash_changes_with_the_python_that_bundles_only_if_its_bytecode_is_read(
    source: Path, monkeypatch: pytest.MonkeyPatch, bundling: str, same: bool
) -> None:
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-312")
    before = asset_hash()
    monkeypatch.setattr(sys.implementation, "cache_tag", bundling)

    assert (asset_hash() == before) == same


def test_hash_changes_with_the_roots(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asset_hash()
    monkeypatch.setattr(functions, "aws_roots", lambda: "others")

    assert asset_hash() != before


def test_hash_changes_with_the_platform(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asset_hash()
    monkeypatch.setattr(functions, "PYTHON_VERSION", "3.15")

    assert asset_hash() != before
