"""EgoPlan's official loss: the mean over the choice's tokens, the prompt's last token and the end token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.evaluate import evaluate
from egobench.plugins import load_model
from egobench.prompts import user_turn
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.able_server import Able, loaded, talking
from tests.models.hf_asking import Checkpoint, encoded, load
from tests.models.prompts import OPTIONS, QUESTION, ask

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def released_loss(logits: Any, ids: Sequence[int], first: int) -> float:
    """The loss of ``src/video_llama/video_llama/models/modeling_llama.py`` of EgoPlan's repository, as it defines it.

    Args:
        logits: ``(tokens, words)`` of one row.
        ids: Its tokens.
        first: Number of the first token whose label is kept; those before are masked.
    """
    labels = torch.tensor([-100] * first + list(ids[first:]))
    losses = torch.nn.functional.cross_entropy(logits[:-1].float(), labels[1:], reduction="none")
    return float(losses.sum() / (losses != 0).sum())


@pytest.mark.parametrize("family", ["video-llava", "smolvlm", "qwen2-vl"])
def test_it_is_the_released_loss_of_full_forwards(family: str, checkpoint: Checkpoint) -> None:
    # The first two stand on LLaMA, as the released code does.
    adapter, prompt, turn = load(checkpoint(family)), ask(), user_turn(QUESTION, ())
    end = adapter.chat.processor.tokenizer.eos_token_id
    (scores,) = adapter.score_options([prompt], "enclosed-text")
    length = encoded(adapter, prompt, text=turn)["input_ids"].shape[1]
    for option, total, count in zip(OPTIONS, scores.logprobs, scores.tokens, strict=True):
        inputs = encoded(adapter, prompt, option, text=turn)
        with torch.inference_mode():
            # The end is looked up alone: nothing comes after it.
            logits = adapter.model(**inputs).logits[0]
        ids = [*inputs["input_ids"][0].tolist(), end]
        padded = torch.cat([logits, logits[-1:]])
        assert -total / count == pytest.approx(released_loss(padded, ids, length - 1), abs=1e-5)
        assert count == len(ids) - length + 1


def test_it_adds_two_tokens_to_those_of_the_choice(checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint("video-llava"))
    (plain,), (enclosed,) = (adapter.score_options([ask()], form) for form in ("text", "enclosed-text"))
    assert enclosed.tokens == tuple(count + 2 for count in plain.tokens)
    assert enclosed.prompt_tokens == plain.prompt_tokens - 1
    # By hand: what is added differs by the end token alone, for the prompt's last token is the same for all.
    assert all(both < text for both, text in zip(enclosed.logprobs, plain.logprobs, strict=True))


def test_a_model_with_features_between_words_has_it_too(tmp_path: Path) -> None:
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    folder = tiny_checkpoint(tmp_path / "videollama2", "2", template="")
    adapter: Any = load_model("videollama2", checkpoint=str(folder))
    prompt = ask()
    (scores,) = adapter.score_options([prompt], "enclosed-text")
    turn = adapter.frontend.prompt_parts(prompt, "text")
    before, alone = adapter.tokens(turn.before), adapter.tokens(turn.after)
    for option, total, count in zip(OPTIONS, scores.logprobs, scores.tokens, strict=True):
        after = [*adapter.tokens(f"{turn.after} {option}"), adapter.tokenizer.eos_token_id]
        with torch.inference_mode():
            logits = adapter.language(inputs_embeds=adapter.embed(prompt, before, after)).logits[0]
        # Only the last tokens have labels, so those of the clip need no numbers.
        kept = len(after) - len(alone) + 1
        ids = [0] * (len(logits) - len(after)) + after
        assert -total / count == pytest.approx(released_loss(logits, ids, len(ids) - kept), abs=1e-5)
        assert count == kept


def test_a_token_that_joins_prompt_and_choice_belongs_to_the_choice() -> None:
    scoring: Any = import_module("egobench.models._local.option_scoring")
    # The prompt 9-8-1, whose last token an option joins: the token before the joined one is the prompt's last.
    assert scoring.split([[9, 8, 5], [9, 8, 6, 7]], [9, 8, 1], before=1) == (2, [[8, 5], [8, 6, 7]])
    assert scoring.split([[9, 8, 1, 5]], [9, 8, 1], before=1) == (1, [[1, 5]])


def test_a_run_chooses_the_choice_of_least_loss(checkpoint: Checkpoint, navigation: Navigation) -> None:
    adapter = load(checkpoint("video-llava"))
    settings = Settings(method="likelihood-official", limit=3, frames=4)
    result = evaluate(adapter, [navigation.sample_set], navigation.videos, navigation.root / "runs", settings)
    rows = [json.loads(row) for path in result.path.glob("predictions/*") for row in path.read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert row["choice"] == row["scores"].index(max(row["scores"]))
        # A mean over tokens of a random model of some hundred words: near log(1 / 409), never a sum.
        assert all(-60 < score < 0 for score in row["scores"])
    scores = json.loads((result.path / "scores.json").read_text())
    assert "/likelihood-official" in json.dumps(scores)


def test_models_that_cannot_score_it_say_so() -> None:
    pytest.importorskip("httpx")
    able = Able(("logprobs", "top_logprobs"))
    with talking(able) as server:
        model: Any = loaded(server)
        with pytest.raises(ModelError, match="chats tell no log-probability of a given text"):
            model.score_options([ask()], "enclosed-text")
