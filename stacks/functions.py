"""The three functions over one asset, each with a role of its own that can do nothing yet but write its log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, Duration, ILocalBundling, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.bundle import NOT_SHIPPED, ROOTS, TASK, compile_sources, write_sources
from stacks.models import dynamodb_model
from stacks.roots import aws_roots

SOURCE = Path(__file__).parent.parent / "lambda_src"
RUNTIME = lambda_.Runtime.PYTHON_3_14
PYTHON_VERSION = "3.14"
CACHE_TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"
"""Of the bytecode that the functions read: with it, a cold start need not compile the sources."""

PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")

TIMEOUT = Duration.seconds(10)
"""Above what the SDK's own timeouts and retries allow one call, below the 29 s that API Gateway would wait."""

MEMORY_MB = 512
"""Lambda gives CPU with memory, 1,769 MB for one whole core. At 128 MB the import and TLS of a cold start take
seconds; a warm send waits for the network most of its time, so more than this is paid for and not used."""


class BundlingFailed(SystemExit):
    """Ends synth with one sentence: any other exception the CDK would wrap in a page of its own."""


@jsii.implements(ILocalBundling)
class PipBundling:
    """Bundles the asset with the pip that runs synth, so that `cdk deploy` needs no Docker."""

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        write_sources(SOURCE, Path(output_dir))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        target = ["--target", output_dir, "--python-version", PYTHON_VERSION, "--implementation", "cp"]
        platforms = [f"--platform={platform}" for platform in PLATFORMS]
        command = [*pip, *target, *platforms, "--only-binary=:all:", "-r", str(SOURCE / "requirements.txt")]
        try:
            subprocess.run(command, check=True, stdout=sys.stderr)
        except subprocess.CalledProcessError as error:
            raise BundlingFailed(
                "error: pip could not install lambda_src/requirements.txt "
                f"for Python {PYTHON_VERSION} on arm64 (it says why above); "
                "check the network, or name an index that it can reach in PIP_INDEX_URL, and try again"
            ) from error
        if _makes_their_bytecode():
            compile_sources(Path(output_dir))
        return True


def _makes_their_bytecode() -> bool:
    """Whether the Python that bundles is of the functions' own version. Another's bytecode would only be carried."""
    return sys.implementation.cache_tag == CACHE_TAG


class ChatFunction(Construct):
    """One handler of the asset."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        description: str,
        handler: str,
        code: lambda_.Code,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        self.log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        # A role of our own: the one the CDK makes may write to every log group of the account.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler,
            code=code,
            role=self.role,
            environment={**environment, "AWS_CA_BUNDLE": f"{TASK}/{ROOTS}"},
            timeout=TIMEOUT,
            memory_size=MEMORY_MB,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
        )


def asset() -> lambda_.Code:
    """The Lambda asset with its dependencies. Its hash follows from the sources and from what they are bundled for."""
    compiled = _makes_their_bytecode()
    return lambda_.Code.from_asset(
        str(SOURCE),
        exclude=list(NOT_SHIPPED),
        asset_hash_type=AssetHashType.SOURCE,
        bundling=BundlingOptions(
            image=DockerImage.from_registry("unused"),
            # Never run, but part of the hash, which what is bundled beside the sources must change too.
            command=[PYTHON_VERSION, *PLATFORMS, aws_roots(), dynamodb_model(), *([CACHE_TAG] if compiled else [])],
            local=PipBundling(),
        ),
    )
