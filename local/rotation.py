"""A new signing key for a deployed stack: `make rotate-key STACK=...`."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import Any

from local.deployment import outputs_of
from local.progress import StepFailed

KEY_LENGTH = 64
"""Characters of the new key; HS256 requires 32 bytes or more (RFC 7518, section 3.2)."""

BELIEVED_SECONDS = 60
"""How long a function goes on believing a key that was taken back: it reads it again after that."""

HANDSHAKE_SECONDS = 30
"""How long one may take that was let in just before that: the authorizer and the connection function have 10 s each.
Until it has ended, the table does not know its connection."""

ALPHABET = string.ascii_letters + string.digits


def rotate(cloudformation: Any, secrets_manager: Any, stack: str, *, retire: bool) -> str:
    """Puts a new key in the place of the one that signs tokens, and returns what that means, for people.

    The one before counts for as long as a token that it signed may live; with `retire` it ends within BELIEVED_SECONDS,
    and with it every token that it signed. Raises StepFailed if the stack has no key, or if a rotation would end tokens
    that still count, and the SDK's errors.
    """
    outputs = outputs_of(cloudformation, stack)
    arn = outputs.get("TokenSecretArn")
    if arn is None:
        raise StepFailed(f"{stack} has no signing key of its own: its identity is not token")
    lasts = timedelta(hours=int(outputs["MaxTokenHours"]))
    if not retire:
        _check_tokens_of_the_key_before(secrets_manager, arn, lasts)
    key = "".join(secrets.choice(ALPHABET) for _ in range(KEY_LENGTH))
    secrets_manager.put_secret_value(SecretId=arn, SecretString=key)
    signs = f"A new key signs the tokens of {stack} from now on: have your backend read {arn} again."
    if retire:
        _retire(secrets_manager, arn)
        return (
            f"{signs}\nThe old key is refused within a minute, and so is every token that it signed. Then all "
            "connections are ended."
        )
    ends = datetime.now(UTC) + lasts
    return f"{signs}\nTokens of the old key are accepted until {ends:%Y-%m-%d %H:%M} UTC; RETIRE=now ends that at once."


def _check_tokens_of_the_key_before(secrets_manager: Any, arn: str, lasts: timedelta) -> None:
    """Secrets Manager has a label for one key before, so another rotation takes it from the key that has it."""
    versions = _versions(secrets_manager, arn)
    if "AWSPREVIOUS" not in versions:
        return
    # The last that it signed are as old as the key that took its place.
    ends = versions["AWSCURRENT"]["CreatedDate"] + lasts
    if ends > datetime.now(UTC):
        raise StepFailed(
            f"the previous key is valid until {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and another rotation "
            "would end it now, and its tokens with it; rotate after that, or with RETIRE=now, which ends every key but "
            "the new one"
        )


def _retire(secrets_manager: Any, arn: str) -> None:
    if previous := _versions(secrets_manager, arn).get("AWSPREVIOUS"):
        secrets_manager.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSPREVIOUS", RemoveFromVersionId=previous["VersionId"]
        )


def _versions(secrets_manager: Any, arn: str) -> dict[str, Any]:
    """The secret's versions by the labels that they have."""
    versions = secrets_manager.list_secret_version_ids(SecretId=arn)["Versions"]
    return {label: version for version in versions for label in version.get("VersionStages", [])}
