"""stages.toml: each of its stages, as what it makes different from a stage with no settings of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.settings import BadContext, ChatSettings
from stacks.stages import read_stages, with_stage
from tests.stack.conftest import Synthesize, Synthesized
from tests.stack.test_template import IGNORED, VARIANTS, without_hashes

ABSENT = "(absent)"


def differences(before: Any, after: Any, path: str = "") -> dict[str, Any]:
    """What stands elsewhere in the two, by path: what was there, and what is there."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: dict[str, Any] = {}
        for name in sorted({*before, *after}):
            found |= differences(before.get(name, ABSENT), after.get(name, ABSENT), f"{path}/{name}")
        return found
    return {} if before == after else {path: [before, after]}


@pytest.mark.parametrize("stage", read_stages())
def test_a_stage_differs_in_what_was_reviewed(
    synthesize: Synthesize, default: Synthesized, snapshot: SnapshotAssertion, stage: str
) -> None:
    # Under one name, so that what differs is not the name.
    preset = synthesize(**with_stage({"stage": stage}) | {"stage": "dev"})

    found = differences(without_hashes(default.template), without_hashes(preset.template))

    assert found == snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("variant", ["bounded", "customer's key", "undelivered", "messages"])
def test_a_setting_differs_in_what_was_reviewed(
    synthesize: Synthesize, default: Synthesized, snapshot: SnapshotAssertion, variant: str
) -> None:
    found = differences(without_hashes(default.template), without_hashes(synthesize(**VARIANTS[variant]).template))

    assert found == snapshot.use_extension(JSONSnapshotExtension)


@pytest.mark.parametrize("stage", read_stages())
def test_cloudformation_has_nothing_to_object_to_in_a_stage(synthesize: Synthesize, stage: str) -> None:
    template = synthesize(**with_stage({"stage": stage})).template
    arguments = ManualArgs(regions=["us-east-1", "eu-central-1"], ignore_checks=IGNORED)

    assert [str(match) for match in lint(json.dumps(template), config=arguments)] == []


@pytest.mark.parametrize(("stage", "kept"), [("dev", False), ("staging", True), ("prod", True)])
def test_only_a_stage_that_may_go_can_be_deleted_by_mistake(synthesize: Synthesize, *, stage: str, kept: bool) -> None:
    assert synthesize(**with_stage({"stage": stage})).termination_protection is kept


def test_the_context_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "stages.toml"
    file.write_text('[prod]\nretentionDays = 30\nthrowaway = false\ntokenSource = "header"\n')

    settings = ChatSettings.from_context(with_stage({"stage": "prod", "retentionDays": "9"}, file))

    assert (settings.retention_days, settings.token_source, settings.stage) == (9, "header", "prod")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[prod", "stages.toml cannot be read"),
        ("retentionDays = 9\n[prod]", "says retentionDays outside of any section"),
        ('[prod]\nstage = "dev"', "the section's own name is the stage"),
        ("[dev]", "has no stage prod: add a section [prod], or give throwaway=true"),
        ("[prod]\nretentionDay = 9", "did you mean retentionDays?"),
        ('[prod]\nthrowaway = "maybe"', "the setting throwaway='maybe' cannot be used"),
        ("[prod]\nretentionDays = 1.5", "the setting retentionDays='1.5' cannot be used"),
        ('[prod]\nidentity = "open"', "only on throwaway stages"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "stages.toml"
    file.write_text(text)

    with pytest.raises(BadContext) as problem:
        ChatSettings.from_context(with_stage({"stage": "prod"}, file))

    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_missing_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadContext, match="is missing"):
        with_stage({"stage": "prod"}, tmp_path / "stages.toml")
