"""The Lambda asset: what is in it, and when its hash changes."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import botocore
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from botocore.loaders import Loader
from botocore.model import ServiceModel

from stacks import bundle as bundle_module
from stacks import functions
from stacks.bundle import LOCK, OIDC_LOCK, PYTHON_VERSION, SOURCE, BundlingFailed, bundle, compile_sources
from stacks.ca_roots import aws_roots
from stacks.sdk_description import OPERATIONS

SDK_ROOTS = Path(botocore.__file__).with_name("cacert.pem")
BYTECODE = {"__pycache__"}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, without what tools have left in them, that is bundled in their place."""
    copy = tmp_path / "lambda_src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return copy


@pytest.fixture(scope="module")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset, bundled under a umask that keeps everything to its owner."""
    folder = tmp_path_factory.mktemp("asset")
    with restrictive_umask():
        bundle(folder)
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lock names, with few of the hundreds of services: to install them takes longer than all the rest."""
    folder = tmp_path_factory.mktemp("packages")
    bundle_module._install(SOURCE / "requirements.txt", folder)
    for service in (folder / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in {*OPERATIONS, "s3", "sqs"}:
            shutil.rmtree(service)
    return folder


@pytest.fixture
def installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed anew for this test."""
    monkeypatch.setattr(
        bundle_module, "_install", lambda _, folder: shutil.copytree(packages, folder, dirs_exist_ok=True)
    )


@contextmanager
def restrictive_umask() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def leave_behind_what_tools_do(source: Path) -> None:
    for litter in ("__pycache__/message.pyc", "chat/__pycache__/table.pyc", ".mypy_cache/x", "chat/.ruff_cache/x"):
        (source / litter).parent.mkdir(exist_ok=True)
        (source / litter).write_text("litter")


# what is in it


def test_what_the_sdk_would_import_for_nothing_is_not_imported(asset: Path) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); from chat.sdk import client; client('dynamodb')"
    script += "; print(*sys.modules)"
    variables = {"AWS_DEFAULT_REGION": "eu-central-1", "PLAIN_SDK": "1", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", "-c", script, str(asset)]
    imported = subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout.split()
    assert "botocore.docs.docstring" in imported
    assert {"botocore.docs.bcdoc", "html.parser", "importlib.metadata"}.isdisjoint(imported)


def test_the_asset_holds_the_handlers_their_package_and_its_dependencies(asset: Path) -> None:
    ours = {"announcement.py", "authorizer.py", "backend.py", "connection.py", "message.py", "stream.py", "chat"}
    theirs = {"botocore", "dateutil", "jmespath", "jwt", "six.py", "urllib3"}
    assert {path.name for path in asset.iterdir() if path.suffix != ".dist-info"} - BYTECODE == ours | theirs
    metadata = {path.name.partition("-")[0] for path in asset.glob("*.dist-info") if (path / "METADATA").exists()}
    assert metadata == {"botocore", "jmespath", "pyjwt", "python_dateutil", "six", "urllib3"}
    chat = {path.name for path in (asset / "chat").iterdir()} - BYTECODE
    assert chat == {path.name for path in (SOURCE / "chat").glob("*.py")}


@pytest.mark.usefixtures("installed")
def test_what_tools_leave_beside_the_sources_is_not_shipped(tmp_path: Path, source: Path) -> None:
    leave_behind_what_tools_do(source)

    bundle(tmp_path / "asset", source)

    assert not [path for path in (tmp_path / "asset").rglob("*") if path.name.endswith("_cache")]
    assert not (tmp_path / "asset" / "requirements.txt").exists()


def test_everybody_can_read_the_asset_whatever_the_umask(asset: Path) -> None:
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (asset, *asset.rglob("*"))}

    assert modes == {(True, 0o755), (False, 0o644)}


def test_all_of_it_is_compiled_where_the_functions_read_it(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("value = 1\n")

    compile_sources(tmp_path)

    assert set(tmp_path.rglob("*.pyc")) == {Path(cache_from_source(str(tmp_path / "package" / "module.py")))}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("tag", ["cpython-399", sys.implementation.cache_tag])
def test_the_asset_holds_bytecode_only_of_the_functions_own_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tag: str
) -> None:
    monkeypatch.setattr(bundle_module, "CACHE_TAG", tag)
    is_own = tag == sys.implementation.cache_tag

    bundle(tmp_path)

    sources = set(tmp_path.rglob("*.py"))
    compiled = {Path(cache_from_source(str(path))) for path in sources}
    assert set(tmp_path.rglob("*.pyc")) == (compiled if is_own else set())
    assert ("no bytecode" in capfd.readouterr().err) == (not is_own)


def test_the_asset_is_made_for_the_python_that_the_functions_run_on() -> None:
    assert functions.RUNTIME.name == f"python{PYTHON_VERSION}"
    assert (SOURCE.parent / ".python-version").read_text().strip() == PYTHON_VERSION


def test_bytecode_of_ours_counts_only_as_long_as_its_source_stays_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "package.py"  # of the SDK: what saves its cold start the reading of its sources
    ours = tmp_path / "chat" / "edited.py"
    ours.parent.mkdir()
    for path in (package, ours):
        path.write_text("value = 1\n")
    compile_sources(tmp_path)
    for path in (package, ours):
        before = path.stat()
        path.write_text("value = 2\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert runpy.run_path(cache_from_source(str(ours)))["value"] == 1
    command = [sys.executable, "-c", "import package, chat.edited; print(package.value, chat.edited.value)"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout == "1 2\n"


def test_two_bundlings_make_the_same_asset(tmp_path: Path, asset: Path) -> None:
    bundle(tmp_path)

    assert contents(tmp_path) == contents(asset)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# how it is made


def test_a_package_that_cannot_be_had_is_one_clear_sentence(
    tmp_path: Path, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (source / "requirements.txt").write_text("parley-no-such-package==1 --hash=sha256:" + "0" * 64)

    with pytest.raises(BundlingFailed) as problem:
        bundle(tmp_path / "asset", source)

    sentence = str(problem.value)
    assert sentence.startswith("error: could not install lambda_src/requirements.txt")
    assert "check the network" in sentence
    assert "\n" not in sentence
    assert capfd.readouterr().err, "the installer's own words are shown"


def test_a_package_that_is_not_what_was_locked_is_refused(tmp_path: Path, source: Path) -> None:
    lock = source / "requirements.txt"
    lock.write_text(re.sub("sha256:.{8}", "sha256:00000000", lock.read_text()))

    with pytest.raises(BundlingFailed):
        bundle(tmp_path / "asset", source)


# what its SDK can do


@pytest.mark.parametrize(("service", "operation"), [(s, one) for s in OPERATIONS for one in OPERATIONS[s]])
def test_the_sdk_describes_a_call_as_the_whole_sdk_does(asset: Path, service: str, operation: str) -> None:
    ours = sdk_data(asset)
    passed_on = passed_on_in(ours, service)

    assert outline(ours, service, operation, passed_on) == outline(Loader(), service, operation, passed_on)


def test_what_the_sdk_passes_on_holds_nothing_to_convert_but_binary_attributes(asset: Path) -> None:
    whole = Loader().load_service_model("dynamodb", "service-2")["shapes"]
    pending = list(passed_on_in(sdk_data(asset), "dynamodb"))
    found: set[str] = set()
    while pending:
        if (name := pending.pop()) not in found:
            found.add(name)
            parts = [*whole[name].get("members", {}).values(), *(whole[name].get(part) for part in PARTS)]
            pending += [part["shape"] for part in parts if part]
            assert not any("locationName" in part for part in parts if part)

    assert {"QueryOutput", "Key", "AttributeMap", "AttributeValue"} <= found
    converted = {name for name in found if whole[name]["type"] not in PASSED_ON_TYPES}
    assert converted == {"BinaryAttributeValue"}


@pytest.mark.parametrize("service", OPERATIONS)
def test_the_sdk_passes_on_nothing_but_the_tables_answers_and_items(asset: Path, service: str) -> None:
    passed_on = passed_on_in(sdk_data(asset), service)
    outputs = {name for name in passed_on if name.endswith("Output")}
    assert outputs == ({f"{name}Output" for name in OPERATIONS[service]} if service == "dynamodb" else set())
    whole = Loader().load_service_model(service, "service-2")["shapes"]
    assert all(whole[name]["value"]["shape"] == "AttributeValue" for name in passed_on - outputs)


PARTS = ("member", "key", "value")
PASSED_ON_TYPES = {"structure", "map", "list", "string", "boolean", "integer", "long", "double"}


def sdk_data(asset: Path) -> Loader:
    return Loader(extra_search_paths=[str(asset / "botocore" / "data")], include_default_search_paths=False)


def passed_on_in(loader: Loader, service: str) -> set[str]:
    """The shapes that the SDK does not look into."""
    return {
        name for name, one in loader.load_service_model(service, "service-2")["shapes"].items() if one.get("document")
    }


def outline(loader: Loader, name: str, operation: str, passed_on: set[str]) -> Any:
    """What is sent and received in the operation, to the last member but those of shapes that are passed on."""
    service = loader.load_service_model(name, "service-2")
    model = ServiceModel(service).operation_model(operation)
    frame = {key: value for key, value in service["operations"][operation].items() if key not in NOT_COMPARED}
    answers = [one for one in (model.input_shape, model.output_shape, *model.error_shapes) if one is not None]
    return service["metadata"], frame, [shape(one, passed_on) for one in answers]


NOT_COMPARED = {"input", "output", "errors", "documentation", "operationContextParams"}
"""What refers to shapes, which are compared; what explains; and what finds the account in a table's name, where that is
an ARN: ours is not."""


def shape(one: Any, passed_on: set[str], *outer: str) -> Any:
    if one.name in passed_on or one.name in outer:
        return one.name  # a shape may be within itself: an attribute may be a list of attributes
    inner = [one.name, *outer]
    members = {name: shape(member, passed_on, *inner) for name, member in getattr(one, "members", {}).items()}
    parts = [shape(getattr(one, part), passed_on, *inner) for part in PARTS if hasattr(one, part)]
    return one.name, one.type_name, one.serialization, one.metadata, members, parts


def test_the_sdk_trusts_the_roots_that_aws_asks_for_and_few_others(asset: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(asset / "botocore" / "cacert.pem")

    certificates: Any = context.get_ca_certs()
    names = {dict(pair for (pair,) in certificate["subject"]).get("commonName") for certificate in certificates}
    assert names >= {f"Amazon Root CA {number}" for number in range(1, 5)}
    assert "Starfield Services Root Certificate Authority - G2" in names
    assert len(names) < 20


def test_roots_are_the_same_text_in_whatever_order_openssl_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ssl.SSLContext.get_ca_certs
    roots = aws_roots(SDK_ROOTS)
    monkeypatch.setattr(ssl.SSLContext, "get_ca_certs", lambda *args, **kwargs: listed(*args, **kwargs)[::-1])

    assert aws_roots(SDK_ROOTS) == roots


# its hash


def test_the_hash_is_that_of_the_content(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bundle_this(folder: Path, **_: object) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)

    monkeypatch.setattr(functions, "bundle", bundle_this)
    before = asset_key(tmp_path / "before")
    assert asset_key(tmp_path / "again") == before

    (source / "message.py").chmod(0o600)  # `bundle` sees to that
    assert asset_key(tmp_path / "mode") == before

    with (source / "chat" / "table.py").open("a") as text:
        text.write("# a change\n")
    changed = asset_key(tmp_path / "changed")
    assert changed != before

    (source / "message.py").rename(source / "messages.py")
    assert asset_key(tmp_path / "renamed") not in (before, changed)


def asset_key(output: Path) -> str:
    """What the asset is called in the bucket: a new name is a new deployment of the functions."""
    stack = cdk.Stack(cdk.App(outdir=str(output)), "Stack")
    lambda_.Function(stack, "Function", code=functions.asset(), handler="message.handler", runtime=functions.RUNTIME)
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    return str(function["Properties"]["Code"]["S3Key"])


@pytest.mark.usefixtures("installed")
def test_the_content_is_the_same_whatever_lies_beside_the_sources_and_wherever_they_are(
    tmp_path: Path, source: Path, asset: Path
) -> None:
    leave_behind_what_tools_do(source)
    with (source / "requirements.txt").open("a") as lock:
        lock.write("# a comment\n")
    (source / "message.py").chmod(0o600)

    bundle(tmp_path / "elsewhere" / "asset", source)

    assert contents(tmp_path / "elsewhere" / "asset") == contents(asset)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("file", ["message.py", "chat/table.py"])
def test_the_content_follows_the_sources(tmp_path: Path, source: Path, asset: Path, file: str) -> None:
    with (source / file).open("a") as text:
        text.write("# a change\n")

    bundle(tmp_path / "asset", source)

    assert file in changed(tmp_path / "asset", asset)


def test_the_content_follows_the_lock(tmp_path: Path, source: Path, asset: Path) -> None:
    lock = source / "requirements.txt"
    lock.write_text(re.sub(r"(?m)^pyjwt==.*\n(?: .*\n)*", "", lock.read_text()))

    bundle(tmp_path / "asset", source)

    assert "jwt/api_jwt.py" in changed(tmp_path / "asset", asset)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "value", "file"),
    [
        (
            "sdk_description.OPERATIONS",
            {**OPERATIONS, "dynamodb": ("Query",)},
            "data/dynamodb/2012-08-10/service-2.json",
        ),
        ("sdk_description.ENDPOINTS", "{}", "data/endpoints.json"),
        ("ca_roots.ORGANISATIONS", frozenset({"Amazon"}), "cacert.pem"),
    ],
)
def test_the_content_follows_the_recipe(
    *, tmp_path: Path, asset: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, file: str
) -> None:
    monkeypatch.setattr(f"stacks.{name}", value)

    bundle(tmp_path)

    assert changed(tmp_path, asset) == {f"botocore/{file}"}


def changed(folder: Path, other: Path) -> set[str]:
    """The files that are in one of them only, or differ."""
    ours, theirs = contents(folder), contents(other)
    return {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}


def test_only_the_tokens_of_an_issuer_bring_cryptography_along() -> None:
    locked = {lock: (SOURCE / lock).read_text() for lock in (LOCK, OIDC_LOCK)}

    assert "cryptography==" not in locked[LOCK]
    assert "cryptography==" in locked[OIDC_LOCK]
    pins = {lock: set(re.findall("^[a-z].*?==[^ ]+", text, re.MULTILINE)) for lock, text in locked.items()}
    assert pins[LOCK] < pins[OIDC_LOCK]


def test_the_asset_with_cryptography_is_made_for_arm64(tmp_path: Path) -> None:
    bundle(tmp_path, lock=OIDC_LOCK)

    (library,) = tmp_path.glob("cryptography/hazmat/bindings/_rust*.so")
    machine = library.read_bytes()[18:20]
    assert machine == bytes([0xB7, 0]), "ELF's number of AArch64"
