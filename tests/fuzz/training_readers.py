"""Readers of trainings: their folders, checkpoints to go on from, models to load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from egobench.observer import SilentObserver
from egobench.torchvision_ops import ensure_torchvision
from tests.fuzz.inputs import Reader, Seed, seeds_of

if TYPE_CHECKING:
    from reference_exo2ego.training.engine import Engine
    from reference_exo2ego.training.run import Training

STEPS = 3


def _prepare() -> None:
    """Make transformers importable."""
    ensure_torchvision()


def _training_seeds(root: Path) -> Iterator[Seed]:
    """A training that stopped before its last step, with two checkpoints."""
    _prepare()
    from reference_exo2ego.training.checkpoint import checkpoints, read_position
    from reference_exo2ego.training.run import own_folder

    training = _training(root / "training")
    with own_folder(training):
        training.run()
    training.tracker.close()
    for checkpoint in checkpoints(root / "training" / "init" / "checkpoints"):
        _engine().load(checkpoint)
        weights = {name: tensor.clone() for name, tensor in _engine().weights().items()}
        _STATES[checkpoint.name] = (asdict(read_position(checkpoint)), weights)
    yield from seeds_of(root / "training")


def _training(folder: Path) -> Training:
    from reference_exo2ego.training.loop import LoopSettings
    from reference_exo2ego.training.run import Training
    from reference_exo2ego.training.tracking import LOG, JsonLines, Tracker
    from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data

    data = folder.parent / "data"
    if not data.exists():
        write_data(data)
    settings = LoopSettings(workers=0, save_every=1, log_every=1, validate_every=1, stop_after=STEPS - 1)
    recipe = tiny_recipe(("init",), steps=STEPS, batch=2)
    return Training(
        recipe=recipe, folder=folder, data=data, settings=settings, tracker=Tracker([JsonLines(folder / LOG)])
    )


@cache
def _engine() -> Engine:
    """The engine that checkpoints are loaded into; what it had before is overwritten."""
    from reference_exo2ego.training.beginning import begin

    with TemporaryDirectory() as folder:
        training = _training(Path(folder) / "training")
        (stage,) = training.recipe.trained
        beginning = begin(training.recipe, training.data, None, dtype=training.dtype)
        return training.build_engine(stage, beginning)


def _read_training(seed: Seed) -> object:
    """Take the folder, go on from its newest checkpoint, and write the page about it."""
    from reference_exo2ego.training.checkpoint import check_fit, latest_checkpoint, read_position
    from reference_exo2ego.training.report import write_report
    from reference_exo2ego.training.run import own_folder
    from reference_exo2ego.training.run_file import check_data, read_run

    training = _training(seed.folder)
    training.tracker.close()
    with own_folder(training):
        check_data(training.folder, "init", read_run(training.folder)["data"].get("init", {}))
        checkpoint = latest_checkpoint(training.folder / "init" / "checkpoints", SilentObserver())
        if checkpoint is not None:
            check_fit(checkpoint, steps=STEPS, engine="torch", processes=1)
            engine = _engine()
            engine.load(checkpoint)
            _check_same(checkpoint, (asdict(read_position(checkpoint)), engine.weights()))
    write_report(training.folder)
    return checkpoint


def _check_same(checkpoint: Path, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Compare position and weights with those that the checkpoint had before it was altered."""
    import torch

    (position, weights), (before, weights_before) = state, _STATES[checkpoint.name]
    if position != before or not all(torch.equal(weights[name], weights_before[name]) for name in weights_before):
        raise AssertionError(f"{checkpoint}: goes on from another state than was written")


_STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
"""Position and weights by name of the checkpoint, as they were written."""


# --- Models ----------------------------------------------------------------------------------------------------------


def _model_seeds(root: Path) -> Iterator[Seed]:
    """An Exo2Ego as training hands it over, with LoRA, weights in two files, and a tokenizer."""
    _prepare()
    from reference_exo2ego.model.checkpoint import save
    from reference_exo2ego.model.freezing import begin_stage
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model
    from tests.reference_exo2ego.training.tiny_training import tokenizer

    model = tiny_model()
    begin_stage(model, "stage3")
    save(model, root / "model", "stage3", tokenizer=tokenizer())
    yield from seeds_of(root / "model")


def _read_model(seed: Seed) -> object:
    from reference_exo2ego.model.checkpoint import load
    from reference_exo2ego.training.beginning import load_tokenizer

    return load(seed.folder), load_tokenizer(seed.folder / "language")


def _published_seeds(root: Path) -> Iterator[Seed]:
    """VideoLLaMA2 in both published layouts."""
    _prepare()
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    yield from seeds_of(tiny_checkpoint(root / "whole"))
    yield from seeds_of(tiny_checkpoint(root / "base", base=True))


def _read_published(seed: Seed) -> object:
    from reference_exo2ego.backbone.published import Parts, load_published

    language = seed.folder / "language"
    parts = Parts(seed.folder, language, seed.folder / "tower-clip") if language.exists() else Parts(seed.folder)
    return load_published(parts)


TRAINING_READERS: tuple[Reader, ...] = (
    Reader("training folder", _training_seeds, _read_training, deletes=True),
    Reader("Exo2Ego checkpoint", _model_seeds, _read_model, deletes=True),
    Reader("VideoLLaMA2 checkpoint", _published_seeds, _read_published, deletes=True),
)
