"""The chat in somebody else's CDK app: our distribution is built, installed into an empty environment, and used."""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Endpoint, deploy_app, endpoint_of, local_client, token
from local.emulator import PROJECT, emulator
from parley.backend import Backend
from tests.docs.pages import blocks, files
from tests.environments import environment, packages_of, run
from tests.raw_connection import raw_connection
from tools.wheels import CONSTRUCT, build


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CONSTRUCT, tmp_path_factory.mktemp("build") / "wheel")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has our distribution; what it depends on is that of this one."""
    folder = tmp_path_factory.mktemp("environment")
    python = environment(wheel, folder)
    (packages_of(python) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    return python


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The app of the page, in a folder of its own."""
    (program,) = (block.text for block in blocks("docs/construct.md", "python") if "app.synth()" in block.text)
    (tmp_path / "app.py").write_text(program)
    return tmp_path


def test_the_wheel_holds_the_construct_and_what_it_is_made_of_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {path for path in files() if path.startswith(("lambda_src/", "clients/web/", "clients/javascript/parley/"))}
    expected = {f"parley_cdk/{path}" for path in here if not path.endswith(".in")}
    expected |= {f"parley_cdk/{path.removeprefix('stacks/')}" for path in files() if path.startswith("stacks/")}
    assert names == expected


def test_no_module_of_it_imports_another_of_ours_by_a_name_that_it_has_only_here() -> None:
    for path in (PROJECT / "stacks").glob("*.py"):
        assert not re.findall(
            r"^(?:from|import) (?:stacks|tools|local|clients|bench)\b.*", path.read_text(), re.MULTILINE
        )


def test_an_app_of_ten_lines_is_synthesized(python: Path, app: Path) -> None:
    run(python, "app.py", cwd=app, CDK_OUTDIR="cdk.out", PATH=f"{python.parent}:{os.environ['PATH']}")

    template = json.loads((app / "cdk.out" / "Shop.template.json").read_text())
    resources: dict[str, Any] = template["Resources"]
    handlers = {it["Properties"]["Handler"] for it in resources.values() if it["Type"] == "AWS::Lambda::Function"}
    assert {"message.handler", "backend.handler", "index.handler"} <= handlers
    (asset,) = (path for path in (app / "cdk.out").glob("asset.*") if (path / "message.py").exists())
    assert (asset / "chat" / "routes.py").exists()
    assert (asset / "botocore").exists()


def test_the_app_is_deployed_and_its_backend_and_a_user_talk(python: Path, app: Path, tmp_path: Path) -> None:
    program = (app / "app.py").read_text()
    (app / "cdk.json").write_text(json.dumps({"app": f"{python} app.py"}))
    with emulator(tmp_path / "emulator") as running:
        there = f'ChatSettings(emulator="{running.endpoint}", throwaway=True, '
        # The emulator refuses the roles of `cdk bootstrap` what the caller may.
        stack = 'cdk.Stack(app, "Shop", synthesizer=cdk.CliCredentialsStackSynthesizer()'
        (app / "app.py").write_text(program.replace("ChatSettings(", there).replace('cdk.Stack(app, "Shop"', stack))
        (url,) = deploy_app(running, app)["Shop"].values()
        endpoint = endpoint_of(running, "prod", url, "")
        with raw_connection(f"{endpoint.url}?token={token(_key(endpoint), 'alice')}") as alice:
            assert alice.ask("sync")["user"] == "alice"
            Backend(_function(endpoint), client=local_client("lambda", endpoint)).send("shop", "alice", "welcome")
            frame = alice.receive(type="message")
    assert (frame["from"], frame["text"]) == ("shop", "welcome")


def _key(endpoint: Endpoint) -> str:
    secrets = local_client("secretsmanager", endpoint)
    (secret,) = secrets.list_secrets()["SecretList"]
    return str(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"])


def _function(endpoint: Endpoint) -> str:
    """What the app's own function was told to invoke."""
    functions = local_client("lambda", endpoint).list_functions()["Functions"]
    (own,) = (one for one in functions if one["Handler"] == "index.handler")
    return str(own["Environment"]["Variables"]["BACKEND"])
