"""A deployed stack: where it is, and tokens for it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import jwt
from botocore.exceptions import BotoCoreError, ClientError

from local import aws
from local.emulator import ACCOUNT, PROJECT, REGION, Emulator, forget_aws_settings
from local.private import private_file, private_folder
from local.progress import StepFailed, run, step

STATE = PROJECT / ".local"
ENDPOINT_FILE = STATE / "endpoint.json"
STAGE = "local"
STACK = f"Parley-{STAGE}"
OWN_SETTINGS = ("throwaway=true", "graceSeconds=2")
"""Of that stage. Who closes a page and looks at another one should not wait a minute until the dot goes; a page that is
loaded again is back by then."""
TOKEN_SECONDS = 12 * 3600
BOOTSTRAP_QUALIFIER = "hnb659fds"  # the CDK's own
ASSET_BUCKET = f"cdk-{BOOTSTRAP_QUALIFIER}-assets-{ACCOUNT}-{REGION}"
DEPLOYED_TOKEN_SECONDS = 15 * 60
"""Of a token for a stack on AWS, which is worth stealing: time enough to try something."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a local deployment is; what `.local/endpoint.json` holds."""

    url: str
    management_url: str
    stage: str
    table: str
    endpoint_url: str
    region: str
    access_key_id: str = field(default="", repr=False, compare=False)
    """Of this run's key of the account; empty where nobody has to ask the emulator."""
    secret_access_key: str = field(default="", repr=False, compare=False)
    page: str = field(default="", compare=False)
    """The web client's address, if there is one."""

    def with_keys_of(self, running: Emulator) -> Endpoint:
        """The same deployment, on an emulator that was started again and has another key."""
        return replace(self, access_key_id=running.access_key_id, secret_access_key=running.secret_access_key)

    def write(self) -> None:
        private_folder(ENDPOINT_FILE.parent)
        private_file(ENDPOINT_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def forget() -> None:
        """Says that nothing is running."""
        ENDPOINT_FILE.unlink(missing_ok=True)

    @classmethod
    def read(cls) -> Endpoint:
        """The running local deployment's. Raises StepFailed if there is none."""
        try:
            return cls(**json.loads(ENDPOINT_FILE.read_text()))
        except (FileNotFoundError, TypeError, ValueError):  # the file of another version says as little as none
            raise StepFailed("no local deployment is running; start one with `make chat` in another terminal") from None


def deploy(running: Emulator, *context: str, stage: str = STAGE) -> Endpoint:
    """Deploys the stack to the emulator with the CDK's command line.

    `context` are further settings, as `name=value`; what stages.toml says of another stage counts too. Raises
    StepFailed.
    """
    own = OWN_SETTINGS if stage == STAGE else ()
    with step("Deploying the stack (cdk deploy)"):
        outputs = deploy_app(running, PROJECT, f"emulator={running.endpoint}", f"stage={stage}", *own, *context)
    stack = outputs[f"Parley-{stage}"]
    return endpoint_of(running, stage, stack["Url"], stack["TableName"])


def deploy_app(running: Emulator, app: Path, *context: str, packages: Path | None = None) -> dict[str, dict[str, str]]:
    """Deploys the CDK app in a folder to the emulator; its outputs, by stack and by name. Raises StepFailed.

    `context` is the app's, as `name=value`; the app can import what is in `packages`, too.
    """
    outputs, log = running.scratch / "outputs.json", running.folder / "cdk.log"
    private_file(log)
    # The CDK's own check of the template takes most of a synth; it is made of what goes to AWS, and by the tests.
    environment = {**running.environment, "CDK_DISABLE_CLI_TELEMETRY": "1", "CDK_VALIDATION": "false"}
    if packages:
        environment["PYTHONPATH"] = str(packages)
    advice = f"The emulator's own log is {running.log}."
    if running.state.exists():
        advice += f" If what it kept is in the way, remove {running.state}."
    _make_asset_bucket(running)
    options = [word for value in context for word in ("--context", value)]
    arguments = ["--require-approval", "never", "--outputs-file", str(outputs)]
    command = [*_cdk(running, "deploy"), *arguments, *options]
    run(command, environment=environment, log=log, advice=advice, folder=app)
    deployed: dict[str, dict[str, str]] = json.loads(outputs.read_text())
    return deployed


def _make_asset_bucket(running: Emulator) -> None:
    """Makes the bucket that the CDK publishes assets to: all of `cdk bootstrap` that a deploy to the emulator needs."""
    s3 = _client("s3", running.endpoint, running.access_key_id, running.secret_access_key)
    s3.create_bucket(Bucket=ASSET_BUCKET)


def _cdk(running: Emulator, command: str) -> list[str]:
    """The command line; its output folder is the emulator's, so that two deploys can run side by side."""
    output = str(running.scratch / "cdk.out")
    return [str(PROJECT / "node_modules" / ".bin" / "cdk"), command, "--output", output, "--no-notices"]


def endpoint_of(running: Emulator, stage: str, url: str, table: str) -> Endpoint:
    """The addresses on the emulator: its own names under `.amazonaws.com` lead nowhere."""
    api_id = str(urlsplit(url).hostname).partition(".")[0]
    path = f"127.0.0.1:{running.port}/_aws/execute-api/{api_id}/{stage}"
    return Endpoint(
        url=f"ws://{path}",
        management_url=f"http://{path}",
        stage=stage,
        table=table,
        endpoint_url=running.endpoint,
        region=REGION,
        access_key_id=running.access_key_id,
        secret_access_key=running.secret_access_key,
    )


def local_client(service: str, endpoint: Endpoint) -> Any:
    """A client of the emulator, with the account's own rights. From then on this process knows no AWS account."""
    return _client(service, endpoint.endpoint_url, endpoint.access_key_id, endpoint.secret_access_key)


def _client(service: str, endpoint_url: str, access_key_id: str, secret_access_key: str) -> Any:
    forget_aws_settings()  # a profile that does not exist would be in the way, though nothing of it is used
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
    )


def local_secret(endpoint: Endpoint) -> str:
    """The signing secret of the local deployment. Raises StepFailed if it has gone."""
    try:
        return _secret(
            local_client("cloudformation", endpoint),
            local_client("secretsmanager", endpoint),
            f"Parley-{endpoint.stage}",
        )
    except BotoCoreError as error:  # that it was not reached: no setting of anybody's has a say in local_client
        raise StepFailed(f"the local deployment does not answer ({error}); start it again with `make chat`") from None
    except ClientError as error:
        raise StepFailed(f"another local deployment has taken its place ({error}); try again") from None


def deployed_secret(stack: str) -> str:
    """The signing secret of a stack on AWS, with the caller's credentials. Raises StepFailed."""
    try:
        return _secret(boto3.client("cloudformation"), boto3.client("secretsmanager"), stack)
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot read the signing secret of {stack}: {aws.why(error)}") from None


def deployed_url(stack: str) -> str:
    """Where clients of a stack on AWS connect. Raises StepFailed."""
    try:
        return outputs_of(boto3.client("cloudformation"), stack)["Url"]
    except KeyError:
        raise StepFailed(f"{stack} has no output named Url: it is not a stack of this project") from None
    except aws.PROBLEMS as error:
        raise StepFailed(f"cannot read where {stack} is: {aws.why(error)}") from None


def _secret(cloudformation: Any, secrets_manager: Any, stack: str) -> str:
    arn = outputs_of(cloudformation, stack).get("TokenSecretArn")
    if arn is None:
        raise StepFailed(f"{stack} has no signing secret: its identity is not token")
    return str(secrets_manager.get_secret_value(SecretId=arn)["SecretString"])


def outputs_of(cloudformation: Any, stack: str) -> dict[str, str]:
    """The stack's outputs by name."""
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def token(secret: str, user: str, seconds: int = TOKEN_SECONDS) -> str:
    """A connection token for the user."""
    now = int(time.time())
    return jwt.encode({"sub": user, "iat": now, "exp": now + seconds}, secret, algorithm="HS256")
