"""Reading a reply: which option a model named, and how that was told (PROTOCOL section 3).

The rules are tried in order; the first that applies decides. A bare capital inside a sentence is never a letter: in
egocentric text "C" is the camera wearer and "A" an article. There is no random and no default choice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from egobench.prompts import LETTERS

ReadingOutcome = Literal["answered", "unparsed", "refused"]

_THINK = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THINK_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINK_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_WRAP = r"[\s*_`\"'(\[{<$\\]*"
_CLOSE = r"[\s*_`\"')\]}>$\\]*"
_ALONE = re.compile(rf"^{_WRAP}([A-Za-z]){_CLOSE}[.:,;!]?{_CLOSE}$")
_LEADING = re.compile(r"^[\s*_`\"']*(?:[(\[{]\s*([A-Za-z])\s*[)\]}][.:]?|([A-Z])\s*[.:)\]])(?=\s|\*|$)")
_NAMED = re.compile(
    r"(?:\b(?:answer|option|choice)\b|\u7b54\u6848|\u9009\u9879)"  # the last two: answer and option in Chinese
    r"(?:[\s*_`]*(?:is|would be|should be|must be|\u662f|\u4e3a|:|=|-))?"
    r"(?:[\s*_`]*(?:option|choice|letter))?[\s*_`:]*"
    r"(?:[(\[{]\s*([A-Za-z])\s*[)\]}]|([A-Z])(?![A-Za-z'\u2019]|\s+[a-z]))",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am)? (?:cannot|can't|can not|unable|not able|sorry)|cannot (?:determine|answer|tell)|"
    r"unable to (?:determine|answer|tell)|as an ai|i apologi[sz]e|i (?:don't|do not) know|"
    r"not possible to (?:determine|tell))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply was read as.

    Attributes:
        choice: Position of the option it names, ``None`` when it names none.
        outcome: ``answered``, ``unparsed`` or ``refused``.
        rule: The rule that decided: ``letter``, ``leading``, ``named``, ``text``, ``contained``; or why
            none did.
    """

    choice: int | None
    outcome: ReadingOutcome
    rule: str


def read_reply(text: str, options: Sequence[str]) -> Reading:
    """Read which option a reply names.

    Args:
        text: What the model wrote.
        options: The options it was shown, in order.

    Returns:
        The reading; ``choice`` is ``None`` unless ``outcome`` is ``answered``.
    """
    answer = _without_thinking(text)
    if answer is None:
        return Reading(None, "unparsed", "unclosed think block")
    for rule, find in _LETTER_RULES:
        found = {letter for letter in find(answer) if LETTERS.index(letter) < len(options)}
        if len(found) > 1:
            return Reading(None, "unparsed", "several letters")
        if found:
            return Reading(LETTERS.index(found.pop()), "answered", rule)
    return _by_text(answer, options) or _without_option(answer)


def normalised(text: str) -> str:
    """Text in one form: NFKC, lower case, single blanks, no surrounding punctuation."""
    folded = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return folded.strip(" .,:;!?*_`\"'()[]{}")


def _without_thinking(text: str) -> str | None:
    rest = _THINK.sub(" ", unicodedata.normalize("NFKC", text))
    if _THINK_END.search(rest):
        rest = _THINK_END.split(rest)[-1]
    if _THINK_OPEN.search(rest):
        return None
    return rest.strip()


def _letters_alone(answer: str) -> list[str]:
    return [found.upper() for found in _ALONE.findall(answer)]


def _letters_leading(answer: str) -> list[str]:
    found = _LEADING.match(answer)
    if found is None:
        return []
    return [(found[1] or found[2]).upper(), *_letters_named(answer)]


def _letters_named(answer: str) -> list[str]:
    return [letter.upper() for groups in _NAMED.findall(answer) for letter in groups if letter]


_LETTER_RULES = (("letter", _letters_alone), ("leading", _letters_leading), ("named", _letters_named))


def _by_text(answer: str, options: Sequence[str]) -> Reading | None:
    said, known = normalised(answer), [normalised(option) for option in options]
    exact = [position for position, option in enumerate(known) if option == said]
    if len(exact) == 1:
        return Reading(exact[0], "answered", "text")
    inside = [
        position
        for position, option in enumerate(known)
        if option and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", said)
    ]
    longest = max(inside, key=lambda position: len(known[position]), default=None)
    if longest is None:
        return None
    if all(known[position] in known[longest] for position in inside) and known.count(known[longest]) == 1:
        return Reading(longest, "answered", "contained")
    return Reading(None, "unparsed", "several options")


def _without_option(answer: str) -> Reading:
    if _REFUSAL.search(answer):
        return Reading(None, "refused", "declines")
    return Reading(None, "unparsed", "no option named" if answer else "empty")
