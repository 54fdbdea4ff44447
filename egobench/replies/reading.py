"""Reading a reply: which option a model named, and by which rule (PROTOCOL section 3).

What was thought aloud is dropped, and an answer that is declared as final is read alone (:mod:`.plain_text`). In that
text every mention of an option is found, by letter or by words (:mod:`.mentions`), and what is claimed of it
(:mod:`.claims`). One option that is chosen is the answer; two chosen ones are none. Where none is chosen, the one
option whose words stand there, neither turned down, supposed, asked about, weighed nor listed, is the answer.

A bare capital inside a sentence is never a letter: in egocentric text "C" is the camera wearer and "A" an article. No
choice is ever random or a default. ``corpus.jsonl`` and ``corpus_second.jsonl`` beside this module hold replies and how
a person reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from egobench.prompts import LETTERS
from egobench.replies.mentions import marked_reply
from egobench.replies.plain_text import ERROR, declared, normalised, plain, without_tags, without_thinking
from egobench.replies.vocabulary import REFUSAL

if TYPE_CHECKING:
    from egobench.replies.claims import Claim

LONGEST: Final = 4000
"""Characters of a reply that are read, its last ones without the thinking; this bounds the time."""

ReadingOutcome = Literal["answered", "unparsed", "refused"]

_AROUND: Final = r"[\s\"'()\[\]{}<>.,:;!?|\\/=+\u2714*`-]"
_LETTER: Final = re.compile(rf"{_AROUND}*([A-Za-z])(?:{_AROUND}+\1)*{_AROUND}*")
_SHORT_LETTER: Final = re.compile(r"[\s*(\[\"']{0,4}([A-Za-z])[\s*)\]\"'.:]{0,4}")
_FUNCTION_WORDS: Final = frozenset(
    {
        *("a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "then", "to", "with"),
        *("he", "her", "his", "i", "it", "she", "their", "they"),
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply was read as.

    Attributes:
        choice: Position of the option it names, ``None`` when it names none.
        outcome: ``answered``, ``unparsed`` or ``refused``.
        rule: The rule that decided: ``letter``, ``text``, ``named``, ``concluded``, ``contained``; or why none did.
    """

    choice: int | None
    outcome: ReadingOutcome
    rule: str


def read_reply(text: str, options: Sequence[str]) -> Reading:
    """Read which option a reply names.

    Args:
        text: What the model wrote.
        options: The options that the model was shown, in order; at least one.

    Returns:
        The reading; ``choice`` is ``None`` unless ``outcome`` is ``answered``.
    """
    letter = _SHORT_LETTER.fullmatch(text)
    if letter and 0 <= (position := LETTERS.find(letter[1].upper())) < len(options):
        return Reading(position, "answered", "letter")
    answer = without_thinking(text)
    if answer is None:
        return Reading(None, "unparsed", "unclosed think block")
    content = plain(answer[-LONGEST:])
    if not re.search(r"\w", content):
        return Reading(None, "unparsed", "empty")
    if ERROR.match(plain(answer[:LONGEST]) if len(answer) > LONGEST else content):
        return Reading(None, "unparsed", "error text")
    plain_options = [_option(option).plain for option in options]
    for question in (option for option in plain_options if option.endswith("?")):
        # An option that is a question asks nothing when it is the answer.
        content = re.sub(re.escape(question), lambda match: match[0][:-1], content, flags=re.IGNORECASE)
    known = tuple(_option(option).normalised for option in options)
    # What is declared as the answer decides; where it names nothing, the reply as a whole may.
    content_without_tags = without_tags(content)
    reading = _read_parts(declared(content), known) or _read_parts([content_without_tags], known)
    if reading is None and REFUSAL.search(content_without_tags):
        return Reading(None, "refused", "declines")
    return reading or Reading(None, "unparsed", "no option named")


class _Option(NamedTuple):
    """An option in plain form, and in the one form in which texts are compared."""

    plain: str
    normalised: str


@lru_cache(maxsize=16_384)
def _option(text: str) -> _Option:
    in_plain = plain(text)
    return _Option(in_plain, normalised(in_plain))


def _read_parts(parts: Sequence[str], options: tuple[str, ...]) -> Reading | None:
    """Reading of the parts together; ``None`` when they name nothing."""
    readings = [reading for part in parts if (reading := _read_part(part, options)) is not None]
    if len({reading.choice for reading in readings}) > 1:
        return Reading(None, "unparsed", "several options")
    return readings[0] if readings else None


def _read_part(part: str, options: tuple[str, ...]) -> Reading | None:
    letter = _LETTER.fullmatch(part)
    if letter and 0 <= (position := LETTERS.find(letter[1].upper())) < len(options):
        return Reading(position, "answered", "letter")
    same = [position for position, option in enumerate(options) if option and option == normalised(part)]
    if len(same) == 1 and not part.rstrip("\"') ").endswith("?"):
        return Reading(same[0], "answered", "text")
    from egobench.replies.claims import claims  # noqa: PLC0415 - its patterns take a quarter of a second to compile

    reply = marked_reply(part, options)
    claimed = claims(reply)
    chosen = [claim for claim in claimed if claim.kind == "chosen"]
    if chosen:
        letters = {letter for claim in chosen for letter in claim.letters}
        if len(letters) == 1:
            return Reading(letters.pop(), "answered", chosen[0].rule)
        return Reading(None, "unparsed", "several options")
    if any(claim.kind == "taken back" for claim in claimed):
        return Reading(None, "unparsed", "taken back")
    return _contained(reply.text, [claim for claim in claimed if claim.kind == "named"], options)


def _contained(marked: str, named: Sequence[Claim], options: tuple[str, ...]) -> Reading | None:
    """The one option that is named, or the one that all other named ones lie inside of."""
    letters = sorted({letter for claim in named for letter in claim.letters})
    if not letters:
        return None
    outer = [letter for letter in letters if all(options[other] in options[letter] for other in letters)]
    if len(outer) != 1 or _may_be_longer(outer[0], marked, options):
        return Reading(None, "unparsed", "several options")
    return Reading(outer[0], "answered", "contained")


def _may_be_longer(position: int, marked: str, options: tuple[str, ...]) -> bool:
    """Whether all words are there that a longer option adds: "Turn left, then move forward" for "Move forward"."""
    longer = [
        set(re.findall(r"\w+", option.replace(options[position], " "))) - _FUNCTION_WORDS
        for option in options
        if options[position] in option and option != options[position]
    ]
    words = set(re.findall(r"\w+", marked.lower()))
    return any(added and added <= words for added in longer)
