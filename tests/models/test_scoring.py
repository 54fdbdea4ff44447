"""Option scoring on tiny random models: one pass over the prompt, options in rows behind it, and what may go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
import pytest

from egobench.errors import ModelMemoryError, PromptError
from egobench.evaluate import Result, evaluate
from egobench.plugins import load_model
from egobench.run.spec import Settings
from tests.conftest import Navigation
from tests.models.hf_asking import Checkpoint, load
from tests.models.prompts import OPTIONS, ask

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

WORDS = 60
PROMPT = [7, 11, 13, 17, 19, 23, 29, 31]
LONG = [[7, 9, 11, 2, 5], [7, 9, 12], [7, 9, 11, 2, 8], [3], [4, 4, 4, 4], [7, 9, 11, 2, 5]]
"""Continuations that share beginnings, one of a single token, and one twice."""

ROWS = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "videollama3", "llava-onevision", "internvl", "smolvlm", "video-llava")
COPIES = ("qwen3.5", "gemma3", "gemma4")
"""Families with layers that do not keep the whole prompt as it is: linear attention, sliding windows."""


@pytest.fixture
def scoring() -> Any:
    """The module under test, which plugins alone import."""
    return import_module("egobench.models._local.option_scoring")


def mistral(kind: Any = None, **settings: object) -> Any:
    """A random Mistral of two layers, or of a class that changes it."""
    torch.manual_seed(0)
    config = transformers.MistralConfig(
        **{
            "vocab_size": WORDS,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "initializer_range": 0.2,
            "sliding_window": None,
        }
        | settings
    )
    return (kind or transformers.MistralForCausalLM)(config).eval()


def full_forwards(model: Any, prompt: Sequence[int], continuations: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each continuation in a pass of its own, without a cache."""
    sums: list[float] = []
    for tokens in continuations:
        ids = torch.tensor([[*prompt, *tokens]])
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(input_ids=ids).logits[0].double(), -1)
        places = range(len(prompt) - 1, len(prompt) + len(tokens) - 1)
        sums.append(sum(float(logprobs[place, token]) for place, token in zip(places, tokens, strict=True)))
    return sums


@contextmanager
def read_by(module: Any) -> Generator[list[tuple[int, int]]]:
    """Rows and tokens of everything that goes through a layer."""
    shapes: list[tuple[int, int]] = []
    hook = module.register_forward_hook(lambda _, __, out: shapes.append((out.shape[0], out.shape[1])))
    yield shapes
    hook.remove()


def test_a_row_holds_shared_beginnings_once(scoring: Any) -> None:
    # By hand: the tree of 1-2-3, 1-2-4 and 5; last tokens (9, 9, 8) are only looked up.
    row = scoring.pack_options([(1, 2, 3, 9), (1, 2, 4, 9), (5, 8), (5, 8)])
    assert row.ids == [1, 2, 3, 4, 5]
    assert row.depths == [0, 1, 2, 2, 0]
    assert row.paths == [[0, 1, 2], [0, 1, 3], [4], [4]]
    assert row.sees.astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_what_a_tokenizer_joins_belongs_to_the_options(scoring: Any) -> None:
    # "(" is token 1, "(A" 5 and "(B" 6: the prompt 9-1 ends before its "(", which options without a joined token keep.
    assert scoring.split([[9, 5], [9, 6, 7]], [9, 1]) == (1, [[5], [6, 7]])
    assert scoring.split([[9, 5], [9, 1, 4]], [9, 1]) == (1, [[5], [1, 4]])
    assert scoring.split([[9, 1, 5], [9, 1, 4]], [9, 1]) == (0, [[5], [4]])
    for empty in ([[9, 1], [9, 1, 4]], [[9, 1], [9, 5]]):
        with pytest.raises(ValueError, match="a continuation is empty"):
            scoring.split(empty, [9, 1])


def test_each_token_goes_through_the_model_once(scoring: Any) -> None:
    model = mistral()
    scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, LONG)
    with read_by(model.model.layers[0]) as layer, read_by(model.lm_head) as head:
        scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, LONG)
    # The prompt's 8 tokens; 7-9-11-2 and 4-4-4 in one row, what is only looked up left out. Logits after the prompt's
    # last token alone.
    assert layer == [(1, 8), (1, 7)]
    assert head == [(1, 1), (1, 7)]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("packed", [1, 3, 512])
def test_rows_score_as_full_forwards_do(
    attention: str, packed: int, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PACKED", packed)
    model = mistral(attn_implementation=attention)
    with read_by(model.model.layers[0]) as layer:
        found = scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, LONG)
    assert found == pytest.approx(full_forwards(model, PROMPT, LONG), abs=1e-5)
    assert found[0] == found[5]
    # The prompt, one continuation alone, the row that tells whether the model takes rows; then 4-4-4 and the tree of
    # 7-9, which is never cut, in rows of their own or in one.
    assert len(layer) == 3 + (2 if packed < 7 else 1)


def test_a_hundred_captions_in_several_rows_score_as_full_forwards_do(
    scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PACKED", 64)
    captions = np.random.default_rng(0).integers(0, WORDS, (100, 9)).tolist()
    model = mistral()
    found = scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, captions)
    assert found == pytest.approx(full_forwards(model, PROMPT, captions), abs=1e-5)


@pytest.mark.parametrize("window", [None, 6])
def test_options_that_begin_other_options_score_as_full_forwards_do(window: int | None, scoring: Any) -> None:
    # Behind a window of 6 tokens they are read in copies.
    model, nested = mistral(sliding_window=window), [[5, 6, 7, 8, 9], [5], [5, 6, 7], [5, 6], [5, 6, 7, 8]]
    found = scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, nested)
    assert found == pytest.approx(full_forwards(model, PROMPT, nested), abs=1e-5)


def test_embedded_words_are_a_prompt_too(scoring: Any) -> None:
    model = mistral()
    embedded = {"inputs_embeds": model.get_input_embeddings()(torch.tensor([PROMPT])).detach()}
    assert scoring.continuation_logprobs(model, embedded, LONG) == pytest.approx(
        full_forwards(model, PROMPT, LONG), abs=1e-5
    )


def test_behind_a_sliding_window_options_get_copies_of_the_cache(scoring: Any) -> None:
    # 8 tokens of the prompt and up to 4 of an option behind a window of 6.
    model = mistral(sliding_window=6)
    with read_by(model.model.layers[0]) as layer:
        found = scoring.continuation_logprobs(model, {"input_ids": torch.tensor([PROMPT])}, LONG)
    assert found == pytest.approx(full_forwards(model, PROMPT, LONG), abs=1e-5)
    assert layer == [(1, 8), (4, 4)]


def careless(leaves_out: str) -> Any:
    """A Mistral that does not heed an argument behind a cache: the mask, or the positions."""

    class Careless(transformers.MistralForCausalLM):  # type: ignore[misc]
        def forward(self, *given: Any, logits_to_keep: int = 0, **named: Any) -> Any:
            named[leaves_out] = None
            return super().forward(*given, logits_to_keep=logits_to_keep, **named)

    return Careless


class Refuses(transformers.MistralForCausalLM):  # type: ignore[misc]
    """A Mistral whose attention takes no mask of its own."""

    def forward(self, *given: Any, attention_mask: Any = None, **named: Any) -> Any:
        if attention_mask is not None:
            raise ValueError("no mask of four dimensions")
        return super().forward(*given, **named)


class Shifts(transformers.MistralForCausalLM):  # type: ignore[misc]
    """A Mistral that counts what follows a prompt of embedded words from 5 further on, and tells nobody."""

    shift = 0

    def forward(self, *given: Any, past_key_values: Any = None, position_ids: Any = None, **named: Any) -> Any:
        if past_key_values is None:
            self.shift = 5 * ("inputs_embeds" in named)
        elif position_ids is None:
            count = named["input_ids"].shape[1]
            position_ids = torch.arange(count)[None] + past_key_values.get_seq_length() + self.shift
        return super().forward(*given, past_key_values=past_key_values, position_ids=position_ids, **named)


def test_what_was_found_out_with_one_kind_of_prompt_is_not_taken_for_another(scoring: Any) -> None:
    model = mistral(Shifts)
    words = {"input_ids": torch.tensor([PROMPT])}
    embedded = {"inputs_embeds": model.get_input_embeddings()(words["input_ids"]).detach()}
    with read_by(model.model.layers[0]) as layer:
        plain = scoring.continuation_logprobs(model, words, LONG)
        assert layer[-1] == (1, 7)
        shifted = scoring.continuation_logprobs(model, embedded, LONG)
        assert layer[-1] == (4, 4)
        assert scoring.continuation_logprobs(model, words, LONG) == plain
    assert shifted != pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["attention_mask", "position_ids", "refuses"])
def test_a_model_that_reads_rows_otherwise_is_found_out(kind: str, dtype: str, scoring: Any) -> None:
    model = mistral(Refuses if kind == "refuses" else careless(kind)).to(getattr(torch, dtype))
    plain = mistral().to(getattr(torch, dtype))
    inputs = {"input_ids": torch.tensor([PROMPT])}
    with read_by(model.model.layers[0]) as layer:
        found = scoring.continuation_logprobs(model, inputs, LONG)
        again = scoring.continuation_logprobs(model, inputs, LONG)
    assert layer.count((4, 4)) == 2
    # Found out once a model: the second time there are the prompt and the copies alone.
    assert layer[-2:] == [(1, 8), (4, 4)]
    assert found == again
    wanted = full_forwards(plain, PROMPT, LONG)
    assert found == pytest.approx(wanted, abs=1e-5 if dtype == "float32" else 0.3)
    # A model that heeds both takes rows, in half precision too.
    with read_by(plain.model.layers[0]) as layer:
        assert scoring.continuation_logprobs(plain, inputs, LONG) == pytest.approx(found, abs=0.3)
    assert layer[-1] == (1, 7)


@pytest.mark.parametrize("family", [*ROWS, *COPIES])
def test_rows_are_used_where_a_family_takes_them(family: str, checkpoint: Checkpoint) -> None:
    adapter, prompt = load(checkpoint(family)), ask(count=2)
    with read_by(adapter.model.get_output_embeddings()) as head:
        (found,) = adapter.score_options([prompt], "text")
    longer = sum(tokens > 1 for tokens in found.tokens)
    assert (head[-1][0] == 1) is (family in ROWS)
    assert (head[-1][0] == longer) is (family in COPIES)


def test_scores_count_the_tokens_of_the_prompt(checkpoint: Checkpoint, spliced: Callable[[], Any]) -> None:
    # After a line's end the tiny tokenizers join "(" to the letter, so that the prompt before it is the one that is
    # generated from. After [/INST] a blank and "(" are two tokens more.
    for adapter, more in ((load(checkpoint("qwen2-vl")), 0), (spliced(), 2)):
        (scores,), (reply,) = adapter.score_options([ask()], "letter"), adapter.generate([ask()])
        assert scores.prompt_tokens == reply.prompt_tokens + more


def test_videos_are_looked_at_once_a_prompt(checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint("qwen2-vl"))
    looks: list[int] = []
    adapter.model.model.visual.register_forward_hook(lambda *_: looks.append(1))
    options = tuple(f"the {number} red mug" for number in range(26))
    adapter.score_options([ask(options=options), ask(seed=1, options=options)], "text")
    assert len(looks) == 2


@pytest.mark.parametrize("family", ["qwen2-vl", "gemma3"])
def test_what_is_longer_than_the_context_is_named_with_what_is_possible(family: str, checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint(family))
    with pytest.raises(
        PromptError, match=rf"'{family}' reads 4096 tokens; prompt and answer need \d{{4,5}}; fewer fra"
    ):
        adapter.score_options([ask(options=("an onion " * 3000, "a mug"))], "text")
    with pytest.raises(PromptError, match=r"reads 4096 tokens; prompt and answer need \d{5}"):
        adapter.generate([ask(question="What does the wearer do? " * 3000)])
    with pytest.raises(PromptError, match="a continuation is empty"):
        adapter.score_options([ask(options=("", "a mug"))], "text")


def answered(result: Result) -> dict[str, str]:
    """Replies by sample."""
    lines = [json.loads(line) for path in result.path.glob("predictions/*") for line in path.read_text().splitlines()]
    assert {line["outcome"] for line in lines} <= {"answered", "unparsed"}
    return {line["id"]: line["reply"] for line in lines}


def little_room(model: Any, rows: int) -> list[int]:
    """Have a model run out of memory where more rows go through its first layer; the sizes of what is refused."""
    refused: list[int] = []
    computed: list[ReferenceType[Any]] = []

    def check(_: Any, given: tuple[Any, ...]) -> None:
        # What was computed for a batch without room is let go before a smaller one is tried.
        assert [tensor() for tensor in computed] == [None] * len(computed)
        if len(given[0]) > rows:
            refused.append(len(given[0]))
            computed.append(ref(given[0]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    model.register_forward_pre_hook(check)
    return refused


def test_a_batch_without_room_is_halved_and_answers_as_before(checkpoint: Checkpoint, navigation: Navigation) -> None:
    adapter = load(checkpoint("qwen2-vl"))

    def run(size: int) -> Result:
        settings = Settings(batch_size=size, limit=5)
        return evaluate(adapter, [navigation.sample_set], navigation.videos, navigation.root / f"{size}", settings)

    wanted = answered(run(1))
    refused = little_room(adapter.model.model.language_model.layers[0], 1)
    # 5 do not fit, nor does their half of 2; 2 do not either.
    for size, tried in ((5, [5, 2]), (2, [2])):
        refused.clear()
        result = run(size)
        assert answered(result) == wanted
        assert refused == tried
        events = [json.loads(line)["what"] for line in (result.path / "events.jsonl").read_text().splitlines()]
        assert len(events) == len(tried)
        assert all("out of GPU memory" in event for event in events)
        assert "1 are asked at a time now" in events[-1]


def test_scoring_without_room_is_no_sign_that_rows_are_not_taken(checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint("qwen2-vl"))
    little_room(adapter.model.lm_head, 0)
    with pytest.raises(ModelMemoryError, match="'qwen2-vl': out of GPU memory; lower --batch-size"):
        adapter.score_options([ask()], "text")


def cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@pytest.mark.parametrize(
    "takes",
    # A petabyte is more than any machine gives: torch says so in a plain RuntimeError, NumPy in a MemoryError.
    [lambda: torch.empty(10**15), lambda: np.ones(10**15), cublas],
    ids=["torch", "numpy", "cublas"],
)
def test_no_room_is_known_in_whatever_words(takes: Callable[[], object], checkpoint: Checkpoint) -> None:
    adapter = load(checkpoint("qwen2-vl"))
    hook = adapter.model.lm_head.register_forward_pre_hook(lambda *_: takes() and None)
    with pytest.raises(ModelMemoryError, match="'qwen2-vl': out of memory; lower --batch-size"):
        adapter.generate([ask()])
    hook.remove()
    assert len(adapter.generate([ask()])) == 1


def test_a_text_prior_is_the_models_score_without_the_video(checkpoint: Checkpoint, navigation: Navigation) -> None:
    adapter = load(checkpoint("qwen2-vl"))

    def scores(method: str, out: str, **settings: Any) -> dict[str, list[float]]:
        result = evaluate(
            adapter,
            [navigation.sample_set],
            navigation.videos,
            navigation.root / out,
            Settings(method=method, limit=2, **settings),  # type: ignore[arg-type]
        )
        rows = [json.loads(row) for file in result.path.glob("predictions/*") for row in file.read_text().splitlines()]
        return {row["id"]: row["scores"] for row in rows}

    for method in ("likelihood-mean", "likelihood-letter"):
        plain, blind = scores(method, "a"), scores(method, "b", control="blind")
        less = scores(method, "c", text_prior=0.5, batch_size=2)
        for name, found in less.items():
            wanted = [one - 0.5 * other for one, other in zip(plain[name], blind[name], strict=True)]
            assert found == pytest.approx(wanted, abs=1e-9)


@pytest.fixture(scope="module")
def spliced(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """A loader of a tiny VideoLLaMA2."""
    from tests.reference_exo2ego.published_layout import tiny_checkpoint

    folder: Path = tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "videollama2", "2", template="")
    return lambda: load_model("videollama2", checkpoint=str(folder))


def test_a_model_with_features_between_words_takes_rows(spliced: Callable[[], Any]) -> None:
    adapter = spliced()
    with read_by(adapter.language.lm_head) as head:
        (found,) = adapter.score_options([ask(options=(*OPTIONS, OPTIONS[0]))], "text")
    assert head[-1][0] == 1
    assert found.logprobs[0] == found.logprobs[4]
