"""stages.toml: the settings of each lasting stage, whoever deploys it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .settings import BadContext, ChatSettings
from .sources import SOURCES

STAGES = SOURCES / "stages.toml"


def with_stage(context: Mapping[str, object], file: Path = STAGES) -> dict[str, object]:
    """The context on top of the file's section for its stage, which must exist.

    A throwaway stage needs none: nothing of it has to be the same the next time. Raises BadContext.
    """
    stages = read_stages(file)
    stage = ChatSettings.stage_of(context)
    if stage not in stages:
        if str(context.get("throwaway", "false")).lower() == "true":
            return dict(context)
        raise BadContext(
            f"{file.name} has no stage {stage}: add a section [{stage}], or give throwaway=true for a stage that may "
            f"go; the stages are {', '.join(stages)}"
        )
    return {**stages[stage], **context}


def read_stages(file: Path = STAGES) -> dict[str, dict[str, Any]]:
    """The sections of the file. Raises BadContext if it cannot be read."""
    try:
        stages = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadContext(f"{file.name} is missing; it says what each stage is deployed with") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BadContext(f"{file.name} cannot be read: {problem}") from None
    for name, section in stages.items():
        if not isinstance(section, dict):
            raise BadContext(f"{file.name} says {name} outside of any section; write it below the stage, like [prod]")
        if "stage" in section:
            raise BadContext(f"{file.name} names a stage inside of [{name}]; the section's own name is the stage")
    return stages
