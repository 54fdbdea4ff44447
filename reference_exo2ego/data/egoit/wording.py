"""Instructions: ten a source, shipped, and chosen for every sample by the seed alone; how a whole prompt is put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from egobench.errors import AnnotationFileError, JsonInputError
from egobench.json_input import read_json
from egobench.prompts import LETTERS
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer
from reference_exo2ego.data.samples import TrainingSample, question_and_answer

Instructions = Mapping[str, Sequence[str]]
"""Instructions by source."""


def shipped_instructions() -> dict[str, list[str]]:
    """The instructions that come with the package."""
    return read_instructions(None)


def read_instructions(path: Path | None) -> dict[str, list[str]]:
    """Instructions from a JSON file: an object with a list of texts for each source.

    Args:
        path: The file; ``None`` for the one that comes with the package.

    Raises:
        AnnotationFileError: If it cannot be read, or holds something else.
    """
    shipped = files("reference_exo2ego.data.egoit").joinpath("instructions.json")
    name = str(path or shipped)
    try:
        content = read_json((path or shipped).read_bytes(), name)
    except OSError as error:
        raise AnnotationFileError(f"{name}: cannot be read ({error.strerror})") from error
    except JsonInputError as error:
        raise AnnotationFileError(str(error)) from error
    if not isinstance(content, dict):
        raise AnnotationFileError(f"{name}: expected an object with a list of instructions for each source")
    lists: dict[str, list[str]] = {}
    for source, texts in content.items():
        words = [text for text in texts if isinstance(text, str) and text.strip()] if isinstance(texts, list) else []
        if not isinstance(texts, list) or not words or len(set(words)) < len(texts):
            raise AnnotationFileError(
                f"{name}, field {source!r}: expected a list of different texts, found {texts!r:.80}"
            )
        lists[source] = words
    return lists


def choose(instructions: Sequence[str], sample_id: str, seed: int) -> str:
    """The instruction of a sample; it depends on nothing but the list, the sample's id and the seed."""
    digest = sha256(f"{seed} {sample_id}".encode()).digest()
    return instructions[int.from_bytes(digest[:8], "big") % len(instructions)]


def instructed(row: QuestionAnswer, instructions: Instructions, source: str, seed: int) -> TrainingSample:
    """A training sample: instruction, question and options to the model, the answer from it.

    An answer to a closed question is the option with its letter, as the options are listed.

    Raises:
        AnnotationFileError: If there are no instructions for the source.
    """
    if row.instructions not in instructions:
        raise AnnotationFileError(
            f"no instructions for {row.instructions!r}; there are some for {', '.join(instructions)}"
        )
    instruction = choose(instructions[row.instructions], row.id, seed)
    lines, answer, facts = [instruction, row.question], row.answer, dict(row.facts)
    if row.options:
        target = row.options.index(row.answer)
        lines += ["Options:", *(f"({letter}) {text}" for letter, text in zip(LETTERS, row.options, strict=False))]
        answer = f"({LETTERS[target]}) {row.answer}"
        facts |= {"options": list(row.options), "target": target}
    return TrainingSample(
        id=row.id,
        media=f"{source}/{row.video}",
        modality="video",
        turns=question_and_answer("\n".join(filter(None, lines)), answer),
        start=row.start,
        end=row.end,
        source=source,
        facts={"instruction": instruction, "question": row.question, "answer": row.answer, **facts},
    )
