"""A file of lambda_src that is saved is what the running deployment runs from then on; connections stay.

Only the emulator's functions get it. The template that was deployed does not know, so the next start does it again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

from botocore.exceptions import BotoCoreError, ClientError

from local.deployment import ASSET_BUCKET, Endpoint, local_client
from local.emulator import Emulator
from local.private import private_file
from stacks.bundle import NOT_SHIPPED, SOURCE

Saved = Mapping[str, tuple[int, int]]
"""Each source with when it was written, and its size."""


class Reload:
    """Watches the sources, and gives the functions those that were saved."""

    def __init__(self, running: Emulator, endpoint: Endpoint, source: Path = SOURCE) -> None:
        self._endpoint = endpoint
        self._source = source
        self._mark = running.folder / "reloaded"
        self._saved = self._look()
        if self._mark.exists():
            self._saved = {}

    def changes(self) -> Iterator[str]:
        """Does what is due, and says so."""
        saved = self._look()
        if saved == self._saved:
            return
        changed = sorted({name for name, state in saved.items() if self._saved.get(name) != state})
        gone = sorted(self._saved.keys() - saved.keys())
        self._saved = saved
        if problem := next(filter(None, map(self._problem, changed)), None):
            yield f"{problem}; the functions go on as they were"
            return
        try:
            self._give()
        except (BotoCoreError, ClientError) as error:
            yield f"the functions could not be reloaded: {error}"
            return
        private_file(self._mark, "")
        names = [*changed, *(f"{name} (removed)" for name in gone)]
        yield f"saved: {', '.join(names) if len(names) < len(saved) else 'all of lambda_src'}; the functions run it now"

    def _look(self) -> Saved:
        found: dict[str, tuple[int, int]] = {}
        for path in self._source.rglob("*.py"):
            name = path.relative_to(self._source).as_posix()
            if not any(fnmatch(part, pattern) for part in name.split("/") for pattern in NOT_SHIPPED):
                state = path.stat()
                found[name] = (state.st_mtime_ns, state.st_size)
        return found

    def _problem(self, name: str) -> str | None:
        """Why a source cannot be run; None if it can be tried."""
        try:
            compile((self._source / name).read_bytes(), name, "exec")
        except (SyntaxError, ValueError) as error:
            return f"{name}:{getattr(error, 'lineno', None) or 1} has a mistake ({getattr(error, 'msg', error)})"
        return None

    def _give(self) -> None:
        functions, key = self._deployed()
        code = self._asset(key)
        aws = local_client("lambda", self._endpoint)
        for function in functions:
            aws.update_function_code(FunctionName=function, ZipFile=code)

    def _deployed(self) -> tuple[list[str], str]:
        """The functions' names, and where their asset is."""
        cloudformation = local_client("cloudformation", self._endpoint)
        stack = f"Parley-{self._endpoint.stage}"
        template = cloudformation.get_template(StackName=stack)["TemplateBody"]
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        kind = "AWS::Lambda::Function"
        names = [resource["PhysicalResourceId"] for resource in resources if resource["ResourceType"] == kind]
        keys = [it["Properties"]["Code"]["S3Key"] for it in template["Resources"].values() if it["Type"] == kind]
        return names, str(keys[0])  # they share one

    def _asset(self, key: str) -> bytes:
        """The asset with the sources as they are now in the place of ours."""
        deployed = local_client("s3", self._endpoint).get_object(Bucket=ASSET_BUCKET, Key=key)["Body"].read()
        made = io.BytesIO()
        with ZipFile(io.BytesIO(deployed)) as before, ZipFile(made, "w") as after:
            for name in before.namelist():
                if not self._is_ours(name):
                    after.writestr(name, before.read(name))
            for name in self._saved:
                after.write(self._source / name, name)
        return made.getvalue()

    @staticmethod
    def _is_ours(name: str) -> bool:
        """Whether a file of the asset was made of our sources."""
        top, _, rest = name.partition("/")
        return top in ("chat", "__pycache__") or (not rest and name.endswith(".py") and (SOURCE / name).exists())
