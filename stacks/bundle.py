"""What is in the Lambda asset beside its dependencies; without the CDK, so that the bench can make it too."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path
from py_compile import PycInvalidationMode

from stacks.models import dynamodb_model, model_path
from stacks.roots import aws_roots

TASK = "/var/task"
"""Where Lambda unpacks an asset, read-only."""

NOT_SHIPPED = ("__pycache__", ".*_cache")  # what tools leave beside the sources; it would change the asset's hash

ROOTS = "roots.pem"
"""Whom the functions' SDK trusts."""

MODELS = "models"
"""What the functions' SDK reads about DynamoDB; `chat/sdk.py` looks for it."""


def write_sources(source: Path, folder: Path) -> None:
    """The sources, and what is made from the SDK's data for them."""
    ignored = shutil.ignore_patterns(*NOT_SHIPPED, "requirements.txt")
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=ignored)
    (folder / ROOTS).write_text(aws_roots())
    model = folder / MODELS / model_path()
    model.parent.mkdir(parents=True)
    model.write_text(dynamodb_model())


def compile_sources(folder: Path) -> None:
    """Bytecode for all Python in the folder, which this version of Python reads and no other does."""
    # Checked against the source: a zip keeps times badly, and a source that is edited in the console must count.
    compileall.compile_dir(folder, ddir=TASK, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
