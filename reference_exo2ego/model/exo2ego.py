"""Exo2Ego: two visual encoders, a connector, mappings between the views, and a language model.

The exocentric encoder is the demonstrator, the egocentric one the learner. With x what the learner sees of a frame
and y what the demonstrator sees of the same moment, F maps x to what y would be, and G maps back. The language model
reads the learner's tokens and those of F(x), so an egocentric video is enough to ask about.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from egobench.errors import ModelError
from reference_exo2ego.backbone.architecture import patch_features
from reference_exo2ego.backbone.frames import clip_sight, normalise

from .configuration import Exo2EgoConfig
from .losses import categorical_kl, cycle_loss, gaussian_kl, next_token_loss
from .parts import View, build_part
from .stages import Part, Stage
from .words import IGNORED, Words, splice


@dataclass(frozen=True, slots=True)
class ClipInputs:
    """Clips of one view or both, and the text about them, as the model takes them.

    Attributes:
        words: Tokenised text, one row per clip.
        ego: Egocentric frames ``(clips, frames, 3, side, side)``, uint8 or as the encoder takes them.
        exo: Exocentric frames of the same moments, of the same shape.
    """

    words: Words
    ego: torch.Tensor | None = None
    exo: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> ClipInputs:
        """Copy to another device."""
        ego, exo = (None if frames is None else frames.to(device) for frames in (self.ego, self.exo))
        return ClipInputs(self.words.to(device), ego, exo)


class Losses(NamedTuple):
    """Losses of clips; those that a stage does not have are zero.

    ``vtg`` is a mean over words, and so is ``kl`` where it compares outputs; the others are means over clips, see
    ``word_losses`` of the configuration.

    Attributes:
        total: Weighted sum of the others, which is minimised.
        vtg: Next-token cross entropy on the text, in nats per token.
        kl: Divergence of F(x) from y.
        ccl_ego: Cycle loss between x and G(F(x)).
        ccl_exo: Cycle loss between y and F(G(y)).
        tokens: Number of predicted tokens.
    """

    total: torch.Tensor
    vtg: torch.Tensor
    kl: torch.Tensor
    ccl_ego: torch.Tensor
    ccl_exo: torch.Tensor
    tokens: int


class Predicted(NamedTuple):
    """Logits of the language model where a token is to be predicted, and those tokens.

    Attributes:
        logits: Predictions, ``(predicted, vocabulary)``.
        words: The tokens that follow, ``(predicted,)``.
    """

    logits: torch.Tensor
    words: torch.Tensor


class Exo2Ego(nn.Module):
    """The model.

    Args:
        config: Its configuration.
        parts: Which parts to build; ``None`` for all but LoRA, which :func:`~.freezing.begin_stage` adds in its time.

    Attributes:
        config: The configuration.
        ego_encoder: The learner, a ``CLIPVisionModel`` of transformers.
        exo_encoder: The demonstrator, likewise.
        connector: From patches to the language model's tokens.
        exo_connector: The exocentric view's own, with ``connector=per_view``.
        to_exo: The paper's F.
        to_ego: Its G.
        fusion: Joins tokens of both views, with ``fuse=channel``.
        delimiters: With ``delimiters=on``.
        language: A ``MistralForCausalLM`` of transformers.
    """

    ego_encoder: Any
    exo_encoder: Any
    connector: Any
    exo_connector: Any
    to_exo: Any
    to_ego: Any
    fusion: Any
    delimiters: Any
    language: Any

    def __init__(self, config: Exo2EgoConfig, parts: Collection[Part] | None = None) -> None:
        super().__init__()
        self.config = config
        for part in config.parts:
            if part != "low_rank" and (parts is None or part in parts):
                setattr(self, part, build_part(config, part))

    def patches(self, view: View, pixels: torch.Tensor) -> torch.Tensor:
        """Encode the frames of a view into patch features.

        Args:
            view: Which view it is.
            pixels: ``(clips, frames, 3, side, side)``, uint8 or as the encoder takes them.

        Returns:
            ``(clips, frames, patches, channels)``.
        """
        encoder = self.ego_encoder if view == "ego" else self.exo_encoder
        if pixels.dtype == torch.uint8:
            pixels = normalise(pixels, clip_sight(self.config.vision.image_size))
        return patch_features(encoder, pixels.to(encoder.dtype), self.config.vision.layer)

    def features(self, view: View, pixels: torch.Tensor) -> torch.Tensor:
        """Compute what F and G map: the features x of the egocentric view or y of the exocentric one.

        Args:
            view: Which view it is.
            pixels: ``(clips, frames, 3, side, side)``, uint8 or as the encoder takes them.

        Returns:
            Patches, or with ``place=after_connector`` tokens, ``(clips, steps, places, channels)``.
        """
        patches = self.patches(view, pixels)
        if self.config.place == "before_connector":
            return patches
        tokens: torch.Tensor = self._connector(view)(patches).unflatten(1, (-1, self.config.feature_grid**2))
        return tokens

    def tokens(self, view: View, features: torch.Tensor) -> torch.Tensor:
        """Turn features into tokens of the language model, ``(clips, tokens, width)``."""
        if self.config.place == "after_connector":
            return features.flatten(1, 2)
        tokens: torch.Tensor = self._connector(view)(features)
        return tokens

    def fused(self, own: torch.Tensor, mapped: torch.Tensor) -> torch.Tensor:
        """Join the learner's tokens and those of F(x) into one input."""
        match self.config.fuse:
            case "token":
                return torch.cat([self.delimited("ego", own), self.delimited("exo", mapped)], dim=1)
            case "channel":
                return self.delimited("ego", self.fusion(torch.cat([own, mapped], dim=2)))
            case "sum":
                return self.delimited("ego", own + mapped)

    def delimited(self, view: View, tokens: torch.Tensor) -> torch.Tensor:
        """Put the tokens of a view between its delimiters, if there are any."""
        return tokens if self.config.delimiters == "off" else self.delimiters(tokens, view)

    def read_view(self, view: View, pixels: torch.Tensor) -> torch.Tensor:
        """Encode one view alone into tokens, as in the initialization and stage 1."""
        return self.delimited(view, self.tokens(view, self.features(view, pixels)))

    def read_learner(self, pixels: torch.Tensor, stage: Stage) -> torch.Tensor:
        """Encode an egocentric video into the tokens that answer questions about it.

        Args:
            pixels: ``(clips, frames, 3, side, side)``.
            stage: The last stage that was trained: before stage 2 there is no F to speak of.

        Returns:
            ``(clips, tokens, width)``.

        Raises:
            ModelError: If the model was built without a part that is needed.
        """
        self._require(self.config.learner_in(stage))
        if stage in {"init", "stage1"}:
            return self.read_view("ego", pixels)
        x = self.features("ego", pixels)
        return self.fused(self.tokens("ego", x), self.tokens("exo", self.to_exo(x)))

    def forward(self, stage: Stage, inputs: ClipInputs) -> Losses:
        """Compute the losses of clips in a stage.

        Args:
            stage: ``init`` takes either view, ``stage1`` the exocentric one, ``stage2`` both, ``stage3`` the egocentric
                one.
            inputs: The clips.

        Raises:
            ValueError: If the clips have other views than the stage takes, or nothing to predict.
            ModelError: If the model was built without a part that the stage computes with.
        """
        self._require(self.config.read_in(stage))
        _check_views(stage, inputs)
        ego: Any = inputs.ego
        exo: Any = inputs.exo
        if stage == "stage2":
            return self._guide(inputs.words, ego, exo)
        if stage == "stage3":
            return self._weigh(self._predict(inputs.words, self.read_learner(ego, stage)))
        read = self.read_view("exo", exo) if ego is None else self.read_view("ego", ego)
        return self._weigh(self._predict(inputs.words, read))

    def answer(self, words: Words, video: torch.Tensor) -> Losses:
        """Losses of words alone, with any tokens in the video's place.

        Args:
            words: The words.
            video: What the language model reads where the video is, ``(clips, tokens, width)``.
        """
        return self._weigh(self._predict(words, video))

    def _guide(self, words: Words, ego: torch.Tensor, exo: torch.Tensor) -> Losses:
        """Compute the losses of stage 2, where the demonstrator guides the learner."""
        ccl, kl = self.config.ccl, self.config.kl
        x = self.features("ego", ego)
        fx = self.to_exo(x)
        predicted = self._predict(words, self.fused(self.tokens("ego", x), self.tokens("exo", fx)))
        ccl_ego = None if ccl == "none" else cycle_loss(x, self.to_ego(fx))
        if kl == "off" and ccl != "both":
            return self._weigh(predicted, ccl_ego=ccl_ego)
        y = self.features("exo", exo)
        ccl_exo = cycle_loss(y, self.to_exo(self.to_ego(y))) if ccl == "both" else None
        divergence = None if kl == "off" else self._diverge(words, y, fx)
        return self._weigh(predicted, kl=divergence, ccl_ego=ccl_ego, ccl_exo=ccl_exo)

    def _diverge(self, words: Words, y: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        """Compute the divergence of F(x) from y in the configured reading."""
        if self.config.kl == "gaussian":
            return gaussian_kl(y, fx)
        if self.config.kl == "output":
            with torch.no_grad():
                y = self._predict(words, self.delimited("exo", self.tokens("exo", y))).logits
            fx = self._predict(words, self.delimited("exo", self.tokens("exo", fx))).logits
        return categorical_kl(y, fx, self.config.kl_temperature)

    def _weigh(
        self,
        predicted: Predicted,
        *,
        kl: torch.Tensor | None = None,
        ccl_ego: torch.Tensor | None = None,
        ccl_exo: torch.Tensor | None = None,
    ) -> Losses:
        vtg, weights = next_token_loss(predicted.logits, predicted.words), self.config.weights
        kl, ccl_ego, ccl_exo = (vtg.new_zeros(()) if loss is None else loss for loss in (kl, ccl_ego, ccl_exo))
        total = weights.vtg * vtg + weights.kl * kl + weights.ccl * (ccl_ego + ccl_exo)
        return Losses(total, vtg, kl, ccl_ego, ccl_exo, len(predicted.words))

    def _predict(self, words: Words, video: torch.Tensor) -> Predicted:
        """Run the language model over text and video; logits are computed only where a token is predicted."""
        spliced = splice(words, self.language.get_input_embeddings(), video)
        hidden = self.language.model(
            inputs_embeds=spliced.inputs,
            attention_mask=spliced.mask,
            position_ids=spliced.positions,
            use_cache=False,
        ).last_hidden_state
        following = spliced.labels[:, 1:]
        labelled = following != IGNORED
        if not bool(labelled.any()):
            raise ValueError("clips without a token to predict; expected labels")
        return Predicted(self.language.lm_head(hidden[:, :-1][labelled]), following[labelled])

    def _connector(self, view: View) -> Any:
        return self.exo_connector if view == "exo" and self.config.connector == "per_view" else self.connector

    def _require(self, parts: Collection[Part]) -> None:
        missing = [part for part in parts if part != "low_rank" and not hasattr(self, part)]
        if missing:
            raise ModelError(
                f"the model was built without {', '.join(missing)}; build or load it for training, with all parts"
            )


def _check_views(stage: Stage, inputs: ClipInputs) -> None:
    views = {view for view in ("ego", "exo") if getattr(inputs, view) is not None}
    allowed = {"init": [{"ego"}, {"exo"}], "stage1": [{"exo"}], "stage2": [{"ego", "exo"}], "stage3": [{"ego"}]}[stage]
    if views not in allowed:
        expected = " or ".join(" and ".join(sorted(choice)) for choice in allowed)
        raise ValueError(f"{stage} takes {expected}, found {' and '.join(sorted(views)) or 'no frames'}")
