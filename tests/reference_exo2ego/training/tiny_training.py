"""A training of seconds: takes of a few coloured frames, sentences of few words, the tiny Exo2Ego, all stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from reference_exo2ego.training.recipe import Recipe, recipe_of
from tests.reference_exo2ego.tiny_exo2ego import TINY

COLOURS = ("red", "green", "blue", "white", "black", "orange")
THINGS = ("cup", "pan", "knife", "towel")
TAKES = len(COLOURS)

WORDS = (
    "<unk>",
    "<s>",
    "</s>",
    "C",
    "takes",
    "puts",
    "the",
    "what",
    "is",
    "it",
    "[INST]",
    "[/INST]",
    *COLOURS,
    *THINGS,
)

LIVELY: dict[str, Any] = TINY | {
    "language": TINY["language"] | {"vocab_size": len(WORDS), "hidden_size": 16, "intermediate_size": 24},
    "vision": TINY["vision"] | {"hidden_size": 8, "intermediate_size": 16},
    "mapping": {"width": 4, "downsamplings": 1, "residual": True},
}
"""The tiny model, smaller, with mappings whose gradients are no noise at this size."""


def write_data(folder: Path, takes: int = TAKES) -> Path:
    """Takes with two views of four frames, narrated twice; questions about them; a tokenizer."""
    rows: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    drawn = np.random.default_rng(0)
    for take in range(takes):
        for view in ("ego", "exo"):
            _write_take(folder / "takes" / f"{view}{take}", drawn)
        for number in range(2):
            text = f"C {('takes', 'puts')[number]} the {COLOURS[take]} {THINGS[(take + number) % len(THINGS)]}"
            times = {"start": 0.0 + number, "end": 1.0 + number}
            video = f"takes/ego{take}"
            rows.append(
                {"id": f"{take}_{number}", "video": video, **_said("<video>\n", text), **times}
                | {"exo": [{"camera": "cam01", "video": f"takes/exo{take}"}]}
            )
            said = _said("<video>\nwhat is it", text)
            questions.append({"id": f"q{take}_{number}", "video": video, **said, **times})
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "questions.json").write_text(json.dumps(questions))
    tokenizer().save_pretrained(folder / "tokenizer")
    return folder


def tokenizer() -> Any:
    """A word a token."""
    words = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    named = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=words, **named)


def recipe_values(stages: Sequence[str] = ("init", "stage1", "stage2", "stage3"), **changes: Any) -> dict[str, Any]:
    """A recipe as plain values; changes are of every stage, or of the recipe where it has such a value."""
    files = {
        "init": [_file("exo"), _file("ego")],
        "stage1": [_file("exo")],
        "stage2": [_file("pair")],
        "stage3": [{"path": "questions.json", "view": "ego"}],
    }
    own = {name: changes.pop(name) for name in ("dtype", "seed", "clip", "model", "start") if name in changes}
    stage = {"batch": 4, "micro": 2, "steps": 3, "rate": 1e-3} | changes
    return {
        "name": "test",
        "model": LIVELY,
        "start": {"kind": "fresh"},
        "dtype": "float32",
        "checkpointing": False,
        "stages": [
            {"name": name, "source": {"kind": "samples", "files": files[name], "held_out": 2, "group_lengths": False}}
            | stage
            for name in stages
        ],
    } | own


def tiny_recipe(stages: Sequence[str] = ("init", "stage1", "stage2", "stage3"), **changes: Any) -> Recipe:
    """A recipe; see :func:`recipe_values`."""
    return recipe_of(recipe_values(stages, **changes), "test")


def recipe_file(folder: Path, values: dict[str, Any]) -> Path:
    """Write a recipe as a file that the command line takes."""
    path = folder / "recipe.py"
    path.write_text(
        "import json\nfrom reference_exo2ego.training.recipe import recipe_of\n"
        f"RECIPE = recipe_of(json.loads({json.dumps(values)!r}), 'test')\n"
    )
    return path


def _file(view: str) -> dict[str, Any]:
    return {"path": "clips.jsonl", "view": view}


def _said(question: str, answer: str) -> dict[str, Any]:
    return {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}


def _write_take(folder: Path, drawn: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    (folder / "fps.txt").write_text("4")
    colour = drawn.integers(0, 256, (1, 1, 3))
    for frame in range(8):
        noise = drawn.integers(-40, 40, (64, 64, 3))
        picture = np.clip(colour + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"frame_{frame + 1:010d}.png")
