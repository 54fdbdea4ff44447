"""What a reply claims of each option it mentions: chosen, named, turned down, supposed, asked, weighed or listed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from egobench.replies.mentions import MarkedReply
from egobench.replies.patterns import (
    AFFIRMED,
    ALONE,
    ANCHORS,
    CONCEDED,
    GOES_ON,
    GROUPS,
    HEADING,
    LABEL,
    LEAD,
    OR,
    RUN,
    RUN_ON,
    SAYS,
    SENTENCE_END,
    TAKEN_BACK,
    TURNED,
    VERDICT,
    WEAK_ALONE,
    WEIGHT,
)
from egobench.replies.vocabulary import (
    CLAUSE_ENDS,
    CONDITIONS,
    HARMLESS,
    INQUIRIES,
    NEGATIONS,
    REFUSAL,
    REVIEWS,
    SPECULATIONS,
    WEIGHED,
)

ClaimKind = Literal["chosen", "named", "turned down", "supposed", "asked", "weighed", "listed", "none", "taken back"]


class Claim(NamedTuple):
    """What a reply claims of the options of one mention.

    Attributes:
        number: Number of the mention.
        letters: Positions of the options.
        kind: What is claimed of them; ``named`` is a sure mention that nothing else is claimed of.
        rule: The rule by which an option is chosen; empty for other kinds.
        sentence: The sentence it stands in, mentions marked.
    """

    number: int
    letters: tuple[int, ...]
    kind: ClaimKind
    rule: str
    sentence: str


class _Sentence(NamedTuple):
    text: str
    start: int
    question: bool
    trailing: bool


class _Layout(NamedTuple):
    """What the reply as a whole says of single mentions, by their numbers.

    Attributes:
        verdicts: Mentions that are followed by a verdict of their own.
        weights: Mentions that are followed by a share or points, where several are.
        entries: Mentions that begin the entries of a list.
        leads: Mentions that begin a sentence as an answer does.
        reviewed_from: Where the options begin to be gone through; beyond the end where they are not.
    """

    verdicts: dict[int, ClaimKind]
    weights: frozenset[int]
    entries: frozenset[int]
    leads: frozenset[int]
    reviewed_from: int


def claims(reply: MarkedReply) -> list[Claim]:
    """Read what is claimed of every mention, in the order of the text."""
    text = RUN_ON.sub(r"\1 ", HEADING.sub(r"\1\2: ", reply.text))
    layout = _layout(reply, text)
    sentences = list(_sentences(text))
    found: list[Claim] = []
    for sentence, following in pairwise([*sentences, _Sentence("", len(text), False, False)]):
        found += _sentence_claims(reply, sentence, following, layout)
    return _without_taken_back(reply, text, found)


def _sentences(text: str) -> Iterator[_Sentence]:
    start = 0
    for end in SENTENCE_END.finditer(text):
        if end.start() > start:
            yield _Sentence(text[start : end.start()], start, "?" in end[0], end[0] not in ".\n" and GOES_ON.match(text, end.end()) is not None)
        start = end.end()
    if start < len(text):
        yield _Sentence(text[start:], start, False, False)


def _layout(reply: MarkedReply, text: str) -> _Layout:
    verdicts: dict[int, ClaimKind] = {}
    for match in VERDICT.finditer(text):
        for number, _ in reply.letters(match[1]):
            verdicts[number] = "chosen" if match["yes"] else "turned down"
    weights = {number: letters for match in WEIGHT.finditer(text) for number, letters in reply.letters(match[1])}
    runs: set[int] = set()
    leads: dict[int, tuple[int, ...]] = {}
    entries: dict[int, tuple[int, ...]] = {}
    for match in LEAD.finditer(text):
        character = next(filter(None, match.groups()))
        for number, letters in reply.letters(character):
            leads[number] = letters
            mention = reply.mentions[number]
            run = RUN.match(text, match.end())
            if run:
                runs |= {number, *(following for following, _ in reply.letters(run[1]))}
            if mention.end - mention.start > len("(B) ") or re.match(r"[^\n]*\w", text[match.end() :]):
                entries[number] = letters
    for match in LABEL.finditer(text):
        entries.update(reply.letters(match[0]))
    review = REVIEWS.search(text)
    return _Layout(
        verdicts,
        frozenset(weights if len(set(weights.values())) > 1 else ()),
        frozenset({*runs, *(entries if len(set(entries.values())) > 1 else ())}),
        frozenset(leads),
        review.end() if review else len(text) + 1,
    )


def _sentence_claims(
    reply: MarkedReply, sentence: _Sentence, following: _Sentence, layout: _Layout
) -> Iterator[Claim]:
    text = sentence.text
    groups = list(_groups(text))
    if not groups:
        return
    anchored = _anchored(reply, text, sentence.trailing)
    clause_ends = [match.span() for match in CLAUSE_ENDS.finditer(text)]
    affirmed = sentence.question and len(groups) == 1 and AFFIRMED.match(following.text) is not None
    for position, (start, end) in enumerate(groups):
        begin = max([previous for _, previous in clause_ends if previous <= start], default=0)
        begin = max(begin, groups[position - 1][1] if position else 0)
        stop = min([later for later, _ in clause_ends if later >= end], default=len(text))
        stop = min(stop, groups[position + 1][0] if position + 1 < len(groups) else len(text))
        numbers = list(reply.letters(text[start:end]))
        several = len({letters for _, letters in numbers}) > 1
        negated = _negated(text[begin:start])
        for number, letters in numbers:
            rule = anchored.get(number, "")
            if number in layout.verdicts:
                kind = layout.verdicts[number]
            elif sentence.question:
                kind = "chosen" if affirmed and not several else "asked"
            elif _supposed(text, start, end):
                kind = "supposed"
            elif negated or TURNED.match(text[end : groups[position + 1][0] if position + 1 < len(groups) else len(text)]):
                kind = "turned down"
            elif CONCEDED.search(text[:begin]) and number not in layout.leads:
                kind = "weighed"
            elif number in layout.weights or WEIGHED.search(text[begin:start]) or WEIGHED.search(text[end:stop]):
                kind = "weighed"
            elif several:
                kind = "chosen" if rule not in {"", "alone"} and not _open_list(text, start, end) else "listed"
            else:
                kind = _single(reply, sentence, number, (start, end), text[begin:stop], layout, rule)
            yield Claim(number, letters, kind, (rule if rule != "alone" else "named") or "named", text)


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where mentions stand that are joined by commas and conjunctions."""
    for match in GROUPS.finditer(text):
        start, end = match.span()
        pair = re.fullmatch(r"(.[\"')]*),[ \"']*(.)", match[0])
        if pair and _negated(text[:start]):
            # "Not D, B": the second one stands for itself.
            yield from ((start, start + len(pair[1])), (start + pair.start(2), end))
        else:
            yield start, end


def _single(  # noqa: PLR0913
    reply: MarkedReply, sentence: _Sentence, number: int, span: tuple[int, int], clause: str, layout: _Layout, rule: str
) -> ClaimKind:
    """Claim of a mention that stands for itself and is neither asked, supposed, turned down nor weighed."""
    mention = reply.mentions[number]
    start, end = span
    reviewed = sentence.start + start >= layout.reviewed_from
    if rule in {"named", "concluded"}:
        return "chosen"
    if number in layout.entries:
        return "listed"
    if rule == "alone" and not (reviewed and mention.kind == "phrase"):
        return "chosen"
    if number in layout.leads and not reviewed:
        return "chosen"
    if mention.kind in {"phrase", "bare", "weak"}:
        return "none"
    text = sentence.text
    if reviewed or SAYS.search(text) or REFUSAL.search(clause):
        return "listed"
    if INQUIRIES.search(text[:start]):
        return "asked"
    if re.search(r"\b(?:or|nor)\b[^,;]{0,12}$", text[:start]) or re.match(r"\W*\bor\b", text[end:]):
        return "listed"
    return "named"


def _anchored(reply: MarkedReply, text: str, trailing: bool) -> dict[int, str]:
    """Rule by which each mention in a sentence is the answer, by the number of the mention."""
    anchored: dict[int, str] = {}
    for rule, patterns in ANCHORS:
        for pattern in patterns:
            for match in pattern.finditer(text):
                for number, _ in reply.letters(match[match.lastindex or 0]):
                    anchored.setdefault(number, rule)
    alone = ALONE.fullmatch(text)
    # "C... walks on" and "I; the wearer" go on after the letter.
    if alone and not (trailing and WEAK_ALONE.fullmatch(alone[1])):
        for number, _ in reply.letters(alone[1]):
            anchored.setdefault(number, "alone")
    return anchored


def _negated(prefix: str) -> bool:
    prefix = HARMLESS.sub("", prefix)
    head, colon, tail = prefix.rpartition(":")
    if colon and not NEGATIONS.search(tail):
        # "Wrong answer: B" turns B down, "It is not open: B" does not.
        return len(head.split()) <= 3 and NEGATIONS.search(head) is not None  # noqa: PLR2004
    return NEGATIONS.search(prefix) is not None


def _supposed(text: str, start: int, end: int) -> bool:
    for match in CONDITIONS.finditer(text):
        if match.end() <= start and not re.search(r"\b(?:but|however|although)\b|(?<=,) so\b", text[match.end() : start]):
            return True
        if match.start() >= end and not re.search(
            r"\b(?:because|since|but|so)\b|, ?as\b|\(", text[end : match.start()]
        ):
            return True
    return any(
        match.start() <= start and not re.search(r"\b(?:but|however|although)\b|(?<=,) so\b", text[match.end() : start])
        for match in SPECULATIONS.finditer(text)
    )


def _open_list(text: str, start: int, end: int) -> bool:
    """Whether several options are offered rather than answered with."""
    return OR.search(text[start:end]) is not None or (
        re.search(r"\b(?:either|among|between|of|options|choices|candidates|with|from)\W*$|\boptions\b.*$", text[:start], re.IGNORECASE)
        is not None
    )


def _without_taken_back(reply: MarkedReply, text: str, found: Sequence[Claim]) -> list[Claim]:
    """A last choice that the rest of the reply takes back is none."""
    chosen = [position for position, claim in enumerate(found) if claim.kind == "chosen"]
    if not chosen:
        return list(found)
    last = chosen[-1]
    if TAKEN_BACK.match(text, text.index(reply.character(found[last].number)) + 1):
        return [*found[:last], found[last]._replace(kind="taken back"), *found[last + 1 :]]
    return list(found)
