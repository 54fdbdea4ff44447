"""The stages of training and the parts of the model, by name."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from egobench.errors import ConfigurationError

Stage = Literal["init", "stage1", "stage2", "stage3"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class StageFacts(NamedTuple):
    """Facts about a stage of training.

    Attributes:
        names: Its names in the first and the second version of the paper.
        reads: Input of the language model.
        compared: Input from which a checkpoint of this stage answers, and what its scores are compared with.
    """

    names: tuple[str, str]
    reads: str
    compared: str


FACTS: dict[Stage, StageFacts] = {
    "init": StageFacts(
        ("Initialization", "Initialization"),
        "the tokens of either view alone, a view a sample",
        "It answers from ego tokens alone. Compared with the weights it began from.",
    ),
    "stage1": StageFacts(
        ("Teacher Self-Preparation", "Demonstrator Self-Preparation"),
        "the exocentric tokens alone",
        "It answers from ego tokens alone, by an encoder that has not moved since init. A shared connector has moved, "
        "so a difference to init is the connector's; without stage1 in train.connector, or with connector=per_view, "
        "the two answer alike. What the demonstrator has learnt shows on exocentric clips, against init's.",
    ),
    "stage2": StageFacts(
        ("Teacher-Student Guidance", "Demonstrator-Learner Guidance"),
        "the learner's tokens and those of F(x); y guides F and is not read",
        "It answers from ego tokens and F(x). Compared with stage 1, whose connector it reads by.",
    ),
    "stage3": StageFacts(
        ("Student Self-Practice", "Learner Self-Practice"),
        "the learner's tokens and those of F(x)",
        "It answers from ego tokens and F(x), with LoRA. Compared with stage 2, and with one encoder that was trained "
        "on the same data at the same cost.",
    ),
}

STAGE_NAMES: dict[str, Stage] = {name: stage for stage, facts in FACTS.items() for name in facts.names}
"""The stages by their names in both versions of the paper."""

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
    """Find a stage by our name for it or one of :data:`STAGE_NAMES`, in any case and with or without hyphens.

    Raises:
        ConfigurationError: If no stage is called so.
    """
    names: dict[str, Stage] = {_plain(known): stage for known, stage in STAGE_NAMES.items()}
    for stage in STAGES:
        names[stage] = stage
    if _plain(name) not in names:
        raise ConfigurationError(
            f"no stage {name!r}; the stages are {', '.join(STAGES)}, in the paper {', '.join(STAGE_NAMES)}"
        )
    return names[_plain(name)]


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
