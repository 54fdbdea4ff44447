"""Exo2Ego: two visual encoders, a connector, mappings between the views, and a language model.

The exocentric encoder is the demonstrator, the egocentric one the learner. With x what the learner sees of a frame
and y what the demonstrator sees of the same moment, F maps x to what y would be, and G maps back. The language model
reads the learner's tokens and those of F(x), so an egocentric video is enough to ask about.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

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
class Batch:
    """Clips and what is said of them.

    Attributes:
        words: Texts, a row a clip.
        ego: Egocentric frames ``(clips, frames, 3, side, side)``, uint8 or as the encoder takes them.
        exo: Exocentric frames of the same moments, likewise.
    """

    words: Words
    ego: torch.Tensor | None = None
    exo: torch.Tensor | None = None


class Losses(NamedTuple):
    """Losses of a batch; those that a stage does not have are zero.

    Attributes:
        total: What is minimised: the others, weighted.
        vtg: Of the words.
        kl: Of F(x) to y.
        ccl_ego: Of x to G(F(x)).
        ccl_exo: Of y to F(G(y)).
        tokens: How many tokens were predicted.
    """

    total: torch.Tensor
    vtg: torch.Tensor
    kl: torch.Tensor
    ccl_ego: torch.Tensor
    ccl_exo: torch.Tensor
    tokens: int


class Exo2Ego(nn.Module):
    """The model.

    Args:
        config: Its configuration.
        parts: Which parts to build; ``None`` for all but LoRA, which :func:`~.stages.begin_stage` adds in its time.

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
        """What a view's encoder says of every patch.

        Args:
            view: Which view it is.
            pixels: ``(clips, frames, 3, side, side)``, uint8 or as the encoder takes them.

        Returns:
            ``(clips, frames, patches, channels)``.
        """
        encoder = self._part("ego_encoder" if view == "ego" else "exo_encoder")
        if pixels.dtype == torch.uint8:
            pixels = normalise(pixels, clip_sight(self.config.vision.image_size))
        return patch_features(encoder, pixels.to(encoder.dtype), self.config.vision.layer)

    def features(self, view: View, pixels: torch.Tensor) -> torch.Tensor:
        """What F and G work on: x of the egocentric view, y of the exocentric one.

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
        """What the language model reads of features: ``(clips, tokens, width)``."""
        if self.config.place == "after_connector":
            return features.flatten(1, 2)
        tokens: torch.Tensor = self._connector(view)(features)
        return tokens

    def fused(self, own: torch.Tensor, mapped: torch.Tensor) -> torch.Tensor:
        """The learner's tokens and those of F(x) as one input."""
        if self.config.fuse == "token":
            return torch.cat([self.delimited("ego", own), self.delimited("exo", mapped)], dim=1)
        joined = (
            self._part("fusion")(torch.cat([own, mapped], dim=2)) if self.config.fuse == "channel" else own + mapped
        )
        return self.delimited("ego", joined)

    def delimited(self, view: View, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens of a view, between its delimiters if there are any."""
        return tokens if self.config.delimiters == "off" else self._part("delimiters")(tokens, view)

    def read_view(self, view: View, pixels: torch.Tensor) -> torch.Tensor:
        """What the language model reads of one view alone: the initialization, stage 1."""
        return self.delimited(view, self.tokens(view, self.features(view, pixels)))

    def read_learner(self, pixels: torch.Tensor, stage: Stage) -> torch.Tensor:
        """What the language model reads of an egocentric video.

        Args:
            pixels: ``(clips, frames, 3, side, side)``.
            stage: The last stage that was trained: before stage 2 there is no F to speak of.

        Returns:
            ``(clips, tokens, width)``.
        """
        if stage in {"init", "stage1"}:
            return self.read_view("ego", pixels)
        x = self.features("ego", pixels)
        return self.fused(self.tokens("ego", x), self.tokens("exo", self._part("to_exo")(x)))

    def forward(self, stage: Stage, batch: Batch) -> Losses:
        """Losses of a batch in a stage.

        Args:
            stage: ``init`` takes either view, ``stage1`` the exocentric one, ``stage2`` both, ``stage3`` the egocentric
                one.
            batch: The clips.

        Raises:
            ValueError: If the batch has other views than the stage takes, or nothing to predict.
            ModelError: If the model was built without a part that the stage computes with.
        """
        ego, exo = _views(stage, batch)
        match stage:
            case "init" | "stage1":
                read = self.read_view("exo", exo) if ego is None else self.read_view("ego", ego)
                return self._weighted(*self._next_words(batch.words, read))
            case "stage2":
                return self._guided(batch.words, ego, exo)
            case "stage3":
                return self._weighted(*self._next_words(batch.words, self.read_learner(ego, stage)))
        assert_never(stage)

    def _guided(self, words: Words, ego: torch.Tensor, exo: torch.Tensor) -> Losses:
        """Stage 2: the demonstrator guides the learner."""
        config, f = self.config, self._part("to_exo")
        x = self.features("ego", ego)
        fx = f(x)
        vtg, tokens = self._next_words(words, self.fused(self.tokens("ego", x), self.tokens("exo", fx)))
        none = vtg.new_zeros(())
        y = self.features("exo", exo) if "exo_encoder" in config.read_in("stage2") else None
        ccl_ego = cycle_loss(x, self._part("to_ego")(fx)) if config.ccl != "none" else none
        ccl_exo = cycle_loss(y, f(self._part("to_ego")(y))) if config.ccl == "both" and y is not None else none
        kl = self._divergence(words, y, fx) if config.kl != "off" and y is not None else none
        return self._weighted(vtg, tokens, kl, ccl_ego, ccl_exo)

    def _divergence(self, words: Words, y: torch.Tensor, fx: torch.Tensor) -> torch.Tensor:
        """KL in the configured reading: of F(x) to y."""
        if self.config.kl == "gaussian":
            return gaussian_kl(y, fx)
        if self.config.kl == "categorical":
            return categorical_kl(y, fx, self.config.kl_temperature)
        with torch.no_grad():
            target, _ = self._next_logits(words, self.delimited("exo", self.tokens("exo", y)))
        learnt, _ = self._next_logits(words, self.delimited("exo", self.tokens("exo", fx)))
        return categorical_kl(target, learnt, self.config.kl_temperature)

    def _weighted(
        self,
        vtg: torch.Tensor,
        tokens: int,
        kl: torch.Tensor | None = None,
        ccl_ego: torch.Tensor | None = None,
        ccl_exo: torch.Tensor | None = None,
    ) -> Losses:
        none, weights = vtg.new_zeros(()), self.config.weights
        kl, ccl_ego, ccl_exo = (none if part is None else part for part in (kl, ccl_ego, ccl_exo))
        total = weights.vtg * vtg + weights.kl * kl + weights.ccl * (ccl_ego + ccl_exo)
        return Losses(total, vtg, kl, ccl_ego, ccl_exo, tokens)

    def _next_words(self, words: Words, video: torch.Tensor) -> tuple[torch.Tensor, int]:
        """VTG, and how many tokens it is the mean of."""
        logits, following = self._next_logits(words, video)
        return next_token_loss(logits, following), len(following)

    def _next_logits(self, words: Words, video: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits before every labelled token, ``(labelled, vocabulary)``, and these tokens."""
        language = self._part("language")
        spliced = splice(words, language.get_input_embeddings(), video)
        hidden = language.model(
            inputs_embeds=spliced.inputs,
            attention_mask=spliced.mask,
            position_ids=spliced.positions,
            use_cache=False,
        ).last_hidden_state
        following = spliced.labels[:, 1:]
        labelled = following != IGNORED
        if not bool(labelled.any()):
            raise ValueError("a batch without a token to predict; expected labels")
        return language.lm_head(hidden[:, :-1][labelled]), following[labelled]

    def _connector(self, view: View) -> Any:
        return self._part("exo_connector" if view == "exo" and self.config.connector == "per_view" else "connector")

    def _part(self, part: Part) -> Any:
        if not hasattr(self, part):
            raise ModelError(f"the model was built without {part}; build or load it for training, with all parts")
        return getattr(self, part)


def _views(stage: Stage, batch: Batch) -> tuple[Any, Any]:
    shown = {view for view in ("ego", "exo") if getattr(batch, view) is not None}
    taken = {"init": [{"ego"}, {"exo"}], "stage1": [{"exo"}], "stage2": [{"ego", "exo"}], "stage3": [{"ego"}]}[stage]
    if shown not in taken:
        expected = " or ".join(" and ".join(sorted(views)) for views in taken)
        raise ValueError(f"{stage} takes {expected}, found {' and '.join(sorted(shown)) or 'no frames'}")
    return batch.ego, batch.exo
