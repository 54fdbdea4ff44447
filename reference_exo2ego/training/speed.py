"""Peaks of devices, and the operations of a clip: counted on the model without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Final, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from reference_exo2ego.model.exo2ego import ClipInputs, Exo2Ego, Predicted
from reference_exo2ego.model.freezing import begin_stage
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import Words

from .batches import ClipBatch, TrainingStage
from .beginning import enable_checkpointing
from .loop import Speed
from .recipe import Recipe, SampleFiles
from .row_batches import StillBatch

PEAKS: Final[Mapping[str, float]] = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A800": 312e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A40": 150e12,
    "L4": 121e12,
    "V100": 125e12,
}
"""bfloat16 operations a second of dense matrices (V100: float16), by a part of the GPU's name; from the data sheets."""

WORDS = 32
"""Words of a clip that its cost is computed for, beside its video: a caption, or a short question and answer."""


class StageCost(NamedTuple):
    """The cost of a clip in a stage.

    Attributes:
        forward: Floating-point operations of the forward pass.
        backward: Floating-point operations of the backward pass, without activations that it computes again.
        saved: Bytes of activations that are kept for the backward pass.
        saved_again: The same where the backward pass computes activations again.
    """

    forward: float
    backward: float
    saved: int
    saved_again: int


def device_speed(recipe: Recipe, stage: TrainingStage, device: torch.device) -> Speed | None:
    """Return the cost of a clip and the peak of a device.

    Returns:
        ``None`` where the peak is not known, and for rows, whose clips cost differently.
    """
    if device.type != "cuda" or stage == "language" or not isinstance(recipe.stage(stage).source, SampleFiles):
        return None
    peak = gpu_peak(torch.cuda.get_device_name(device))
    if peak is None:
        return None
    cost = stage_cost(recipe, stage)
    return Speed(cost.forward + cost.backward, peak)


def gpu_peak(name: str) -> float | None:
    """Return the most operations a second of a GPU; ``None`` for one that is not known.

    Args:
        name: Its name, as the driver says it.
    """
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def stage_cost(
    recipe: Recipe, stage: Stage, words: int = WORDS, *, frames: int | None = None, still: bool = False
) -> StageCost:
    """Count the operations of a clip and the bytes that are kept of it, on torch's meta device, without numbers.

    Args:
        recipe: The recipe.
        stage: The stage.
        words: Words beside the video.
        frames: Frames of the clip; ``None`` for the configuration's.
        still: Whether encoder and F have no gradient.
    """
    number = torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32
    with torch.device("meta"):
        model = _MetaModel(recipe.model).to(number)
        begin_stage(model, stage)
        inputs = _blank_inputs(recipe, stage, words, frames or recipe.model.frames)
    batch = (StillBatch if still else ClipBatch)(stage, inputs)
    model.to(number).train()
    with FlopCounterMode(display=False) as counter:
        total, saved = _saved_loss(model, batch)
        forward = counter.get_total_flops()
        total.backward()
    backward = counter.get_total_flops() - forward
    model.zero_grad()
    for part in ("ego_encoder", "exo_encoder", "language"):
        enable_checkpointing(getattr(model, part))
    _, saved_again = _saved_loss(model, batch)
    return StageCost(forward, backward, saved, saved_again)


_identity = attrgetter("_cdata")
"""Identity of a storage; on the meta device storages have no address."""


class _SavedLoss(NamedTuple):
    """A loss, and the bytes that are kept for its backward pass."""

    total: torch.Tensor
    saved: int


def _saved_loss(model: Exo2Ego, batch: ClipBatch) -> _SavedLoss:
    """Compute the loss, and count the bytes that are kept for the backward pass, weights left out."""
    weights = {_identity(parameter.untyped_storage()) for parameter in model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if _identity(storage) not in weights:
            storages[_identity(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = batch.losses(model)
    return _SavedLoss(losses.total, sum(storage.nbytes() for storage in storages.values()))


class _MetaModel(Exo2Ego):
    """The model on the meta device, where the video's place among the words cannot be looked for: it comes first."""

    def _predict(self, words: Words, video: torch.Tensor) -> Predicted:
        embedded = self.language.get_input_embeddings()(words.ids)
        inputs = torch.cat([video.to(embedded), embedded], dim=1)
        count = inputs.shape[1]
        # Without a mask transformers looks at the positions' numbers, of which there are none.
        mask = inputs.new_zeros((1, 1, count, count))
        hidden = self.language.model(inputs_embeds=inputs, attention_mask=mask, use_cache=False).last_hidden_state
        predicted = words.ids.shape[1] // 2
        logits = self.language.lm_head(hidden[:, -predicted - 1 : -1].flatten(0, 1))
        return Predicted(logits, words.labels[:, -predicted:].flatten())


def _blank_inputs(recipe: Recipe, stage: Stage, words: int, frames: int) -> ClipInputs:
    """Make a clip without numbers."""
    side = recipe.model.vision.image_size
    pixels = torch.empty((1, frames, 3, side, side))
    ids = torch.zeros((1, words), dtype=torch.long)
    ego = pixels if stage != "stage1" else None
    exo = pixels if stage in {"stage1", "stage2"} else None
    return ClipInputs(Words(ids, ids), ego, exo)
