"""Exports a training checkpoint for inference: LoRA merged, no demonstrator, a model card beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import TypeAdapter, ValidationError

from egobench.errors import ModelError
from reference_exo2ego.backbone.tokenizer import read_tokenizer

from .card import Card, write_card
from .checkpoint import Saved, load, merge_low_rank, read_saved, save
from .freezing import has_low_rank


class Exported(NamedTuple):
    """Result of an export.

    Attributes:
        saved: The exported checkpoint.
        merged: Whether LoRA was merged into the language model.
    """

    saved: Saved
    merged: bool


def export(
    checkpoint: Path,
    out: Path,
    *,
    whole: bool = False,
    merge: bool = True,
    dtype: str = "auto",
    card: Card | None = None,
) -> Exported:
    """Export a checkpoint as a folder for ``egobench run exo2ego -o checkpoint=OUT``.

    Args:
        checkpoint: A folder that training saved.
        out: The folder to write; it must not be there yet.
        whole: Whether demonstrator and G come along, so that training can go on from it.
        merge: Whether LoRA is merged into the language model.
        dtype: Number format to write, by torch's name; ``auto`` keeps the checkpoint's.
        card: Content of the model card beyond what is read from the checkpoint.

    Raises:
        ModelError: If the checkpoint cannot be used or the folder cannot be written.
    """
    if out.exists():
        raise ModelError(f"{out}: is there already; name a new folder, or move this one away")
    source = read_saved(checkpoint)
    model = load(checkpoint, learner=not whole, dtype=dtype)
    merged = merge and has_low_rank(model)
    if merged:
        # In float32, so that what is added to half-precision weights is rounded once.
        language, number = model.language, next(model.parameters()).dtype
        language.to(torch.float32)
        merge_low_rank(model)
        language.to(number)
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        save(model, partial, source.stage, tokenizer=read_tokenizer(checkpoint / "language"))
        write_card(card or Card(out.name), read_saved(partial))
        partial.rename(out)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror}); is there room, and is it new?") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(read_saved(out), merged)


def read_card(path: Path) -> Card:
    """Read the content of a model card from a JSON file with the fields of :class:`~.card.Card`.

    Raises:
        ModelError: If the file cannot be read, or a field is missing, not known or of another type.
    """
    try:
        return TypeAdapter(Card).validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); expected a JSON file with the fields of a card"
        ) from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise ModelError(f"{path}: {'; '.join(faults)}; a card has name, recipe, weights, data and scores") from error
