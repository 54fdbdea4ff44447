"""Whether answers in many styles are read right over real option sets, and how many replies are read in a second.

python benchmarks/replies.py DATA [--renderings 83000] [--json]

DATA holds sample sets that ``egobench build`` wrote. Their distinct option sets take turns in a seeded order, as many
as fit; an option is answered with in each of 31 styles. Words alone answer nothing where two options
have the same ones, and are to be read as no answer there. Prints how many readings are wrong, each wrong one,
and how many replies are read in a second of the processor, by style.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from time import process_time
from typing import Final, NamedTuple

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.prompts import LETTERS
from egobench.replies import normalised, read_reply

STYLES: Final = (
    "{letter}",
    "{small}",
    "({letter})",
    "{letter}.",
    "{letter})",
    "**{letter}**",
    "{letter}: {text}",
    "{letter}. {text}",
    "({letter}) {text}",
    "**{letter}. {text}**",
    "[{letter}] {text}.",
    "{text}",
    '"{text}"',
    "{text} ({letter})",
    "Answer: {letter}",
    "Answer: {text}",
    "The answer is {letter}.",
    "The correct option is {letter}. {text}",
    "The best option is ({letter}) {text}.",
    "Option {letter}: {text}",
    "Option {letter} is correct.",
    "So the answer is: {letter}",
    "I would choose option {letter}, because it fits the video best.",
    "Based on the video, the best answer is:\n\n**({letter}) {text}**",
    "<think>It may be {other}, or not. The answer is {other}.</think>\n\n{letter}",
    "<answer>{letter}. {text}</answer>",
    '{{"answer": "{letter}"}}',
    "The final answer is $\\boxed{{{letter}}}$.",
    "{other} is wrong. The answer is {letter}.",
    "Options:\n{list}\n\nAnswer: {letter}",
    "C is in the kitchen. A hand moves.\n\n{letter}. {text}",
)
"""``other`` is another option's letter, ``list`` all options as the prompt shows them."""


class OptionSet(NamedTuple):
    """Options in the order shown, and the position of the right one."""

    options: tuple[str, ...]
    target: int


class Misreading(NamedTuple):
    """A rendering that was not read as meant."""

    reply: str
    options: tuple[str, ...]
    expected: int | None
    choice: int | None


def option_sets(data: Path) -> Iterator[OptionSet]:
    """The distinct option sets of all sample sets below a folder."""
    known: set[tuple[str, ...]] = set()
    for folder in find_sets(data):
        for sample in SampleSet.read(folder).samples:
            if sample.options and sample.options not in known:
                known.add(sample.options)
                yield OptionSet(tuple(sample.options), sample.target or 0)


def rendering(style: str, options: Sequence[str], target: int) -> str:
    """An answer in one style."""
    other = LETTERS[(target + 1) % len(options)]
    listed = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    letter = LETTERS[target]
    return style.format(letter=letter, small=letter.lower(), text=options[target], other=other, list=listed)


def misreadings(style: str, answered: Sequence[OptionSet]) -> Iterator[Misreading]:
    """Renderings in one style that are not read as meant."""
    for options, target in answered:
        own = normalised(options[target])
        words_alone = "{letter}" not in style and "{small}" not in style
        ambiguous = words_alone and [normalised(option) for option in options].count(own) > 1
        expected = None if ambiguous else target
        reply = rendering(style, options, target)
        choice = read_reply(reply, options).choice
        if choice != expected:
            yield Misreading(reply, options, expected, choice)


def main() -> None:
    """Read all renderings and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--renderings", type=int, default=83_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    available = list(option_sets(arguments.data))
    Random(0).shuffle(available)  # noqa: S311 - no secret
    count = -(-arguments.renderings // len(STYLES))
    # Every option set is answered with each of its options before the first one comes again.
    turns = (
        OptionSet(options, (target + turn) % len(options))
        for turn in range(max(len(options) for options, _ in available))
        for options, target in available
    )
    answered = [option_set for option_set, _ in zip(turns, range(count), strict=False)]
    report: dict[str, dict[str, float]] = {}
    for style in STYLES:
        started = process_time()
        wrong = list(misreadings(style, answered))
        report[style] = {"wrong": len(wrong), "replies_per_second": len(answered) / (process_time() - started)}
        for misread in wrong:
            sys.stderr.write(f"{misread}\n")
    total = len(answered) * len(STYLES)
    if arguments.json:
        sys.stdout.write(json.dumps({"renderings": total, "styles": report}) + "\n")
        return
    for style, numbers in report.items():
        sys.stdout.write(f"{numbers['wrong']:5.0f} wrong {numbers['replies_per_second']:9,.0f}/s  {style!r}\n")
    sets = len({options for options, _ in answered})
    wrong = sum(numbers["wrong"] for numbers in report.values())
    sys.stdout.write(f"{total:,} renderings of {len(STYLES)} styles over {sets:,} option sets: {wrong:.0f} wrong\n")


if __name__ == "__main__":
    main()
