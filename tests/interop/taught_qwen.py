"""A tiny Qwen2-VL that knows some questions by heart, so that its replies are letters, right and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model

PIXELS = {"shortest_edge": 3136, "longest_edge": 602112}
"""Least and most pixels of a frame: what lmms-eval's ``qwen2_vl`` sets where nobody says anything."""

LETTERS = "BACBD"
"""What it answers, one closed question of the kitchen after another; the first, second and last are right."""


@dataclass
class Recorder:
    """A model that remembers what it was asked."""

    info: ModelInfo = field(default_factory=lambda: ModelInfo("recorder", "1"))
    asked: list[Prompt] = field(default_factory=list[Prompt])

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Remember."""
        self.asked += prompts
        return [Reply("A")] * len(prompts)


def taught_qwen(folder: Path, prompts: Sequence[Prompt]) -> Path:
    """Write a checkpoint with lmms-eval's limits of pixels, which answers prompts with :data:`LETTERS`."""
    from egobench.torchvision_ops import ensure_torchvision

    ensure_torchvision()
    from tests.models.tiny_qwen import qwen2_vl

    qwen2_vl(folder)
    processor = json.loads((folder / "processor_config.json").read_text())
    for part in ("image_processor", "video_processor"):
        processor[part]["size"] = PIXELS
    (folder / "processor_config.json").write_text(json.dumps(processor))
    # lmms-eval hands over the system prompt as a plain text, which the published template takes, too.
    template = folder / "chat_template.jinja"
    parts = "([{'type': 'text', 'text': m['content']}] if m['content'] is string else m['content'])"
    text = template.read_text().replace("in m['content'] %}", f"in {parts} %}}")
    assert parts in text
    template.write_text(text)
    _teach(folder, prompts)
    return folder


def _teach(folder: Path, prompts: Sequence[Prompt]) -> None:
    import torch

    own: Any = load_model("hf", checkpoint=str(folder), rope_fix="no", device="cpu")
    model, words = own.model.train(), own.chat.processor.tokenizer
    inputs = dict(own.chat.encode(prompts, [own.chat.render(prompt, prompt.text) for prompt in prompts]))
    letters = [words(f"\n({letter}")["input_ids"][-1] for letter in LETTERS]
    answers = torch.tensor([[letter, words.eos_token_id] for letter in letters])
    read = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answers], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answers)], 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(25):
        logits = model(**inputs).logits[:, read - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
