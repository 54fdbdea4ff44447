"""The stages of training and the parts of the model, by name."""

from __future__ import annotations

from typing import Literal, get_args

from egobench.errors import ConfigurationError

Stage = Literal["init", "stage1", "stage2", "stage3"]
STAGES: tuple[Stage, ...] = get_args(Stage)

STAGE_NAMES: dict[str, Stage] = {
    "Initialization": "init",
    "Teacher Self-Preparation": "stage1",
    "Teacher-Student Guidance": "stage2",
    "Student Self-Practice": "stage3",
    "Demonstrator Self-Preparation": "stage1",
    "Demonstrator-Learner Guidance": "stage2",
    "Learner Self-Practice": "stage3",
}
"""Names of the stages in the first and in the second version of the paper; both are accepted for ours."""

Part = Literal[
    "ego_encoder",
    "exo_encoder",
    "connector",
    "exo_connector",
    "to_exo",
    "to_ego",
    "fusion",
    "delimiters",
    "language",
    "low_rank",
]
PARTS: tuple[Part, ...] = get_args(Part)
"""Parts of the model: ``to_exo`` is the paper's F, ``to_ego`` its G, ``low_rank`` what LoRA adds to ``language``."""


def stage_named(name: str) -> Stage:
    """The stage of a name: ours, or one of :data:`STAGE_NAMES`, whatever its case and hyphens.

    Raises:
        ConfigurationError: If no stage is called so.
    """
    names = {_plain(known): stage for known, stage in STAGE_NAMES.items()} | {stage: stage for stage in STAGES}
    stage = names.get(_plain(name))
    if stage is None:
        raise ConfigurationError(
            f"no stage {name!r}; the stages are {', '.join(STAGES)}, in the paper {', '.join(STAGE_NAMES)}"
        )
    return stage


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
