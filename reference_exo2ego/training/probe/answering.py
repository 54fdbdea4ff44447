"""A probe as a model that EgoBench asks: options are scored by what they claim of the facts in the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import torch

from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS
from reference_exo2ego.backbone.frames import clip_sight, squares
from reference_exo2ego.model.configuration import Exo2EgoConfig

from .claims import claim_log_probability, claim_of
from .evidence import Evidence, join_moments
from .network import FactNetwork


class ProbeModel:
    """Answers questions by the facts that a network recognises in the frames.

    Args:
        network: The network.
        config: Configuration of the model whose frames it gets.
        settings: What else its answers depend on, by name.

    Attributes:
        info: What identifies it in a run.
        unread: Questions whose form is not known, so that all options score the same.
    """

    def __init__(
        self, network: FactNetwork, config: Exo2EgoConfig, settings: Mapping[str, str | int | float | bool | None]
    ) -> None:
        self._network, self._config = network, config
        self._recognised: tuple[str, Evidence] | None = None
        self.unread: set[str] = set()
        self.info = ModelInfo(
            "exo2ego-probe",
            revision="1",
            weights=weights_digest(network),
            dtype="bfloat16",
            frames=FramePolicy(config.frames, config.vision.image_size, config.fps),
            settings=dict(settings),
        )

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer with the letter of the best option; open questions are not answered."""
        replies: list[Reply] = []
        for prompt in prompts:
            scores = self._scores(prompt) if prompt.options else []
            replies.append(Reply(LETTERS[int(np.argmax(scores))] if scores else "unknown"))
        return replies

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:  # noqa: ARG002
        """Log-probability of what each option claims."""
        return [OptionScores(tuple(self._scores(prompt)), (1,) * len(prompt.options)) for prompt in prompts]

    def _scores(self, prompt: Prompt) -> list[float]:
        claims = [claim_of(prompt.question, option) for option in prompt.options]
        known = [claim for claim in claims if claim is not None]
        if len(known) < len(claims):
            self.unread.add(prompt.question)
            return [0.0] * len(claims)
        evidence = self._evidence(prompt.frames)
        return [claim_log_probability(claim, evidence) for claim in known]

    def _evidence(self, frames: np.ndarray) -> Evidence:
        """Recognise the frames; the result is kept for the next question about the same ones."""
        digest = sha256(np.ascontiguousarray(frames).data).hexdigest()
        if self._recognised is None or self._recognised[0] != digest:
            pictures = squares(frames, clip_sight(self._config.vision.image_size), self._config.fit)
            self._recognised = digest, recognise(self._network, pictures)
        return self._recognised[1]


@torch.inference_mode()
def recognise(network: FactNetwork, frames: torch.Tensor) -> Evidence:
    """Recognise the facts of a clip, uint8 ``(frames, 3, side, side)``."""
    predicted = network.predict(network.encode(frames)[None])
    whole, moments, following = (
        {name: logits[0].softmax(-1).numpy() for name, logits in fields.items()}
        for fields in (predicted.whole, predicted.moments, predicted.following)
    )
    goal, doors = predicted.goal[0].softmax(-1).numpy(), predicted.doors[0].softmax(-1).numpy()
    return Evidence(whole, join_moments(moments), following, goal, doors)


def weights_digest(network: FactNetwork) -> str:
    """Return 12 hex digits of a hash of a network's weights."""
    digest = sha256()
    for name, weight in network.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
