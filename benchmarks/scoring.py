"""What scoring options behind one pass over the prompt saves, against a full forward for every option.

python benchmarks/scoring.py [--prefix 1600] [--rounds 5] [--json]

A random Mistral of 31 million parameters reads a prompt as long as VideoLLaMA2's of 16 frames, as embedded words, then
options. Every way of scoring counts the prompt's own pass. A full forward is one an option, over prompt and option,
without a cache, with logits for the option's tokens alone. The ways take turns, so that whatever else the machine does
falls on all of them; each full forward is run, none is extrapolated. Seconds are those of the processors, on a GPU of
the clock.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import torch

from egobench.torchvision_ops import ensure_torchvision

ensure_torchvision()
transformers: Any = import_module("transformers")
scoring: Any = import_module("egobench.models._local.option_scoring")

CASES: Final = (("5 options", 5, 22), ("100 captions", 100, 9))
"""What they are called, how many, tokens of each."""

WORDS: Final = 8192


def mistral() -> Any:
    """A random Mistral of 31 million parameters, without a sliding window, as Mistral-7B-Instruct-v0.2."""
    torch.manual_seed(0)
    config = transformers.MistralConfig(
        vocab_size=WORDS,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        sliding_window=None,
    )
    return transformers.MistralForCausalLM(config).eval()


@torch.inference_mode()
def full_forward(model: Any, prompt: torch.Tensor, option: Sequence[int]) -> float:
    """Log-probability of an option in a pass of its own."""
    words = model.get_input_embeddings()(torch.tensor([option[:-1]], device=prompt.device))
    logits = model(inputs_embeds=torch.cat([prompt, words], 1), use_cache=False, logits_to_keep=len(option)).logits
    logprobs = torch.log_softmax(logits[0].float(), -1).gather(1, torch.tensor(option, device=prompt.device)[:, None])
    return float(logprobs.double().sum())


def timed(work: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Seconds of a piece of work, and its scores; they are on the CPU, so that nothing is still under way."""
    clock = perf_counter if torch.cuda.is_available() else process_time
    started = clock()
    scores = work()
    return clock() - started, scores


def compare(model: Any, prompt: torch.Tensor, options: Sequence[Sequence[int]], rounds: int) -> dict[str, float]:
    """Seconds of each way, and how far their scores are apart."""
    inputs = {"inputs_embeds": prompt}

    def behind(way: Any) -> Callable[[], list[float]]:
        def work() -> list[float]:
            scoring.supports_packed_options = way
            return list(scoring.continuation_logprobs(model, inputs, options))

        return work

    supports_packed_options = scoring.supports_packed_options
    rows, copies = behind(supports_packed_options), behind(lambda *_: False)
    seconds: dict[str, list[float]] = {"prompt": [], "rows": [], "copies": [], "full": []}
    apart = 0.0
    # What is found out about a model once, and what a first call sets up, is no part of a sample's cost.
    timed(rows)
    for turn in range(rounds):
        part = options[turn::rounds] if len(options) >= 4 * rounds else options
        seconds["prompt"].append(timed(lambda: scoring.continuation_logprobs(model, inputs, [options[0][:1]]))[0])
        spent, packed = timed(rows)
        seconds["rows"].append(spent)
        spent, full = timed(lambda: [full_forward(model, prompt, option) for option in part])  # noqa: B023 - run at once
        seconds["full"].append(spent * len(options) / len(part))
        spent, copied = timed(copies)
        seconds["copies"].append(spent)
        full_scores = dict(zip(map(tuple, part), full, strict=True))
        for option, in_row, in_copy in zip(options, packed, copied, strict=True):
            apart = max(apart, abs(in_row - in_copy), abs(in_row - full_scores.get(tuple(option), in_row)))
    scoring.supports_packed_options = supports_packed_options
    middle = {way: median(spent) for way, spent in seconds.items()}
    if len(options) >= 4 * rounds:
        # Each round ran another part of the options, so that their sum is all of them.
        middle["full"] = sum(seconds["full"]) / rounds
    ratios = {"full/rows": middle["full"] / middle["rows"], "full/copies": middle["full"] / middle["copies"]}
    return {**middle, **ratios, "apart": apart}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", type=int, default=1600, help="tokens of the prompt")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way; the median counts")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    model = mistral().to(arguments.device, getattr(torch, arguments.dtype))
    draw = torch.Generator().manual_seed(1)
    prompt = (
        torch.randn(1, arguments.prefix, 512, generator=draw)
        .mul(0.02)
        .to(arguments.device, getattr(torch, arguments.dtype))
    )
    rows: list[dict[str, Any]] = []
    for name, count, tokens in CASES:
        options = torch.randint(WORDS, (count, tokens), generator=draw).tolist()
        rows.append({"case": f"{name} x {tokens} tokens", **compare(model, prompt, options, arguments.rounds)})
    say = sys.stdout.write
    if arguments.json:
        setting = {"parameters": model.num_parameters(), "threads": torch.get_num_threads(), "torch": torch.__version__}
        say(json.dumps({**vars(arguments), **setting, "cases": rows}, indent=1) + "\n")
        return
    say(f"{model.num_parameters() / 1e6:.1f} M parameters, prompt of {arguments.prefix} tokens, {arguments.dtype}, ")
    say(f"{arguments.device}, {torch.get_num_threads()} threads, torch {torch.__version__}; seconds\n\n")
    say("| | prompt alone | in rows | copies of the cache | full forwards | full / rows | full / copies | apart |\n")
    say("|---|---|---|---|---|---|---|---|\n")
    for row in rows:
        times = " | ".join(f"{row[way]:.2f}" for way in ("prompt", "rows", "copies", "full"))
        say(f"| {row['case']} | {times} | {row['full/rows']:.1f} | {row['full/copies']:.1f} | {row['apart']:.0e} |\n")


if __name__ == "__main__":
    main()
