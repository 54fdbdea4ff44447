"""What a reply claims of each option it mentions: chosen, named, turned down, supposed, asked, weighed or listed."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from egobench.replies.mentions import MarkedReply
from egobench.replies.patterns import (
    AFFIRMED,
    ALONE,
    ANCHORS,
    CONCEDED,
    CONDITION_ENDS,
    GOES_ON,
    GROUPS,
    HEADING,
    INTRODUCED,
    LABEL,
    LEAD,
    LINKED,
    OFFERED,
    OR,
    OR_AFTER,
    OR_BEFORE,
    QUOTED_QUESTION,
    RANGE,
    REST_OF_LINE,
    RUN,
    RUN_ON,
    SAYS,
    SENTENCE_END,
    TAKEN_BACK,
    TURNED,
    VERDICT,
    VERDICT_OF_WORDS,
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
_SHORT: Final = 200
"""Characters of a reply whose claims are remembered by its form."""
_REACH: Final = 200
"""Characters before a mention in which something is looked for that may stand far from it."""


class Claim(NamedTuple):
    """What a reply claims of the options of one mention.

    Attributes:
        number: Number of the mention.
        letters: Positions of the options.
        kind: What is claimed of them; ``named`` is a sure mention that nothing else is claimed of, ``none`` a bare
            letter that may be no option at all.
        rule: For a chosen option, the rule that says so.
    """

    number: int
    letters: tuple[int, ...]
    kind: ClaimKind
    rule: str


class _Sentence(NamedTuple):
    """A sentence of the marked text.

    Attributes:
        text: Its text without the mark that ends it.
        start: Where it begins in the reply.
        question: Whether a question mark ends it.
        goes_on: Whether what follows only continues it, as after an ellipsis.
    """

    text: str
    start: int
    question: bool
    goes_on: bool


class _Layout(NamedTuple):
    """What the reply as a whole says of single mentions, by their numbers.

    Attributes:
        verdicts: Mentions that a verdict of their own follows.
        weights: Mentions that shares or points follow, where several are weighed so.
        entries: Mentions that begin the entries of a list.
        leads: Mentions that begin a sentence as an answer does.
        reviewed_from: Where the options begin to be gone through; beyond the end where they are not.
    """

    verdicts: dict[int, ClaimKind]
    weights: frozenset[int]
    entries: frozenset[int]
    leads: frozenset[int]
    reviewed_from: int


class _Context(NamedTuple):
    """Where a group of mentions stands in its sentence.

    Attributes:
        start: Where the group begins.
        end: Where it ends.
        before: Text of its clause before it.
        after: Text of its clause after it.
        predicate: Text after it up to the next mention.
        conceded: Whether its clause only concedes something.
    """

    start: int
    end: int
    before: str
    after: str
    predicate: str
    conceded: bool


class _Supposed:
    """Which parts of a sentence are supposed."""

    def __init__(self, text: str) -> None:
        self.text = text
        conditions = [match.span() for match in CONDITIONS.finditer(text)]
        self.starts = [start for start, _ in conditions]
        opened = [(end, end) for _, end in conditions]
        opened += [match.span() for match in SPECULATIONS.finditer(text)]
        opened.sort()
        self.opened = [start for start, _ in opened]
        self.opened_ends = [end for _, end in opened]

    def covers(self, start: int, end: int) -> bool:
        """Whether what stands there is supposed: after a condition, or right before one."""
        number = bisect_right(self.opened, start)
        if number and not CONDITION_ENDS.search(self.text, self.opened_ends[number - 1], start):
            return True
        number = bisect_left(self.starts, end)
        return number < len(self.starts) and not INTRODUCED.search(self.text, end, self.starts[number])


def claims(reply: MarkedReply) -> tuple[Claim, ...]:
    """Read what is claimed of every mention, in the order of the text."""
    # Models reply in few forms, which differ in the words of the options alone.
    return _claims_of_form(reply.without_places()) if len(reply.text) <= _SHORT else _claims(reply)


@lru_cache(maxsize=4096)
def _claims_of_form(reply: MarkedReply) -> tuple[Claim, ...]:
    return _claims(reply)


def _claims(reply: MarkedReply) -> tuple[Claim, ...]:
    text = RUN_ON.sub(r"\1 ", HEADING.sub(r"\1\2: ", RANGE.sub("", QUOTED_QUESTION.sub('""', reply.text))))
    layout = _layout(reply, text)
    sentences = list(_sentences(text))
    read: list[Claim] = []
    for sentence, following in pairwise([*sentences, _Sentence("", len(text), question=False, goes_on=False)]):
        read += _sentence_claims(reply, sentence, following.text, layout)
    return tuple(_without_taken_back(reply, text, read))


def _sentences(text: str) -> Iterator[_Sentence]:
    start = 0
    for end in SENTENCE_END.finditer(text):
        if end.start() > start:
            mark = end[0]
            goes_on = mark not in {".", "\n"} and GOES_ON.match(text, end.end()) is not None
            yield _Sentence(text[start : end.start()], start, "?" in mark, goes_on)
        start = end.end()
    if start < len(text):
        yield _Sentence(text[start:], start, question=False, goes_on=False)


def _layout(reply: MarkedReply, text: str) -> _Layout:
    verdicts: dict[int, ClaimKind] = {}
    for match in VERDICT.finditer(text):
        for number, _ in reply.letters(match[1]):
            verdicts[number] = "chosen" if match["yes"] else "turned down"
    for match in VERDICT_OF_WORDS.finditer(text):
        for number, _ in reply.letters(match[0][:1]):
            verdicts[number] = "chosen" if match["yes"] or match["tick"] else "turned down"
    weights = {number: letters for match in WEIGHT.finditer(text) for number, letters in reply.letters(match[1])}
    leads: set[int] = set()
    runs: set[int] = set()
    entries = {number: letters for match in LABEL.finditer(text) for number, letters in reply.letters(match[0])}
    for match in LEAD.finditer(text):
        for number, letters in reply.letters(match[0]):
            leads.add(number)
            run = RUN.match(text, match.end())
            if run:
                runs |= {number, *(following for following, _ in reply.letters(run[1]))}
            mention = reply.mentions[number]
            if mention.end - mention.start > len("(B) ") or REST_OF_LINE.match(text, match.end()):
                entries[number] = letters
    review = REVIEWS.search(text)
    return _Layout(
        verdicts,
        frozenset(weights if len(set(weights.values())) > 1 else ()),
        frozenset({*runs, *(entries if len(set(entries.values())) > 1 else ())}),
        frozenset(leads),
        review.end() if review else len(text) + 1,
    )


def _sentence_claims(reply: MarkedReply, sentence: _Sentence, following: str, layout: _Layout) -> Iterator[Claim]:
    text = sentence.text
    groups = list(_groups(text))
    if not groups:
        return
    rules = _anchored(reply, sentence)
    supposed = _Supposed(text)
    affirmed = sentence.question and len(groups) == 1 and AFFIRMED.match(following) is not None
    for context in _contexts(text, groups):
        numbers = list(reply.letters(text[context.start : context.end]))
        several = len({letters for _, letters in numbers}) > 1
        if sentence.question:
            shared: ClaimKind | None = "chosen" if affirmed and not several else "asked"
        else:
            shared = _clause_claim(context, supposed)
        for number, letters in numbers:
            rule = rules.get(number, "")
            kind = layout.verdicts.get(number) or shared
            if kind is None and several:
                offered = rule in {"", "alone"} or number in layout.weights or _offered(text, context)
                kind = "listed" if offered else "chosen"
            if kind is None:
                kind = _single_claim(reply, sentence, number, context, layout, rule)
            yield Claim(number, letters, kind, rule if rule in {"named", "concluded"} else "named")


def _clause_claim(context: _Context, supposed: _Supposed) -> ClaimKind | None:
    """What a clause claims of all its mentions, unless it chooses or names them."""
    if supposed.covers(context.start, context.end):
        return "supposed"
    if _negated(context.before) or TURNED.match(context.predicate):
        return "turned down"
    if WEIGHED.search(context.before) or WEIGHED.search(context.after):
        return "weighed"
    return None


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where mentions stand that are joined by commas and conjunctions."""
    for match in GROUPS.finditer(text):
        start, end = match.span()
        pair = re.fullmatch(r"(.[\"')]*),[ \"']*(.)", match[0])
        if pair and _negated(text[max(start - _REACH, 0) : start]):
            # "Not D, B": the second one stands for itself.
            yield from ((start, start + len(pair[1])), (start + pair.start(2), end))
        else:
            yield start, end


def _contexts(text: str, groups: Sequence[tuple[int, int]]) -> Iterator[_Context]:
    ends = [match.span() for match in CLAUSE_ENDS.finditer(text)]
    clause_starts = [end for _, end in ends]
    clause_stops = [start for start, _ in ends]
    previous = 0
    for (start, end), (following, _) in pairwise([*groups, (len(text), len(text))]):
        number = bisect_right(clause_starts, start)
        begin = max(clause_starts[number - 1] if number else 0, previous)
        number = bisect_left(clause_stops, end)
        stop = min(clause_stops[number] if number < len(clause_stops) else len(text), following)
        conceded = CONCEDED.search(text[max(begin - 12, 0) : begin]) is not None
        yield _Context(start, end, text[begin:start], text[end:stop], text[end:following], conceded)
        previous = end


def _single_claim(
    reply: MarkedReply, sentence: _Sentence, number: int, context: _Context, layout: _Layout, rule: str
) -> ClaimKind:
    """Claim of a mention that stands for itself and that its clause claims nothing of."""
    mention = reply.mentions[number]
    reviewed = sentence.start + context.start >= layout.reviewed_from
    leads = number in layout.leads
    if number in layout.weights or (context.conceded and not leads):
        return "weighed"
    if rule in {"named", "concluded"}:
        return "chosen"
    if number in layout.entries:
        return "listed"
    if (rule == "alone" and not (reviewed and mention.kind == "phrase")) or (leads and not reviewed):
        return "chosen"
    with_words = mention.kind == "words" or (mention.kind == "sign" and mention.end - mention.start > len("( B )"))
    return _passing_claim(sentence.text, context, reviewed=reviewed) if with_words else "none"


def _passing_claim(text: str, context: _Context, *, reviewed: bool) -> ClaimKind:
    """Claim of an option whose words stand in a sentence that does not say that it is the answer."""
    before = text[max(context.start - _REACH, 0) : context.start]
    if reviewed or SAYS.search(text) or REFUSAL.search(context.before) or REFUSAL.search(context.after):
        return "listed"
    if OR_BEFORE.search(before[-20:]) or OR_AFTER.match(text, context.end):
        return "listed"
    return "asked" if INQUIRIES.search(before) else "named"


def _anchored(reply: MarkedReply, sentence: _Sentence) -> dict[int, str]:
    """Rule by which each mention of a sentence is its answer, by the number of the mention."""
    anchored: dict[int, str] = {}
    for rule, patterns in ANCHORS:
        for pattern in patterns:
            for match in pattern.finditer(sentence.text):
                for number, _ in reply.letters(match[match.lastindex or 0]):
                    anchored.setdefault(number, rule)
    alone = ALONE.fullmatch(sentence.text)
    # "C... walks on" goes on after the letter.
    if alone and not (sentence.goes_on and WEAK_ALONE.fullmatch(alone[1])):
        for number, _ in reply.letters(alone[1]):
            anchored.setdefault(number, "alone")
    return anchored


def _negated(before: str) -> bool:
    before = HARMLESS.sub("", before)
    head, colon, tail = before.rpartition(":")
    if colon and not NEGATIONS.search(tail):
        # "Wrong answer: B" turns B down, "It is not open: B" does not.
        labelled = len(head.split()) <= len(("the", "wrong", "answer")) or LINKED.search(head) is not None
        return labelled and NEGATIONS.search(head) is not None
    return NEGATIONS.search(before) is not None


def _offered(text: str, context: _Context) -> bool:
    """Whether several options are offered rather than answered with."""
    before = text[max(context.start - _REACH, 0) : context.start]
    return OR.search(text, context.start, context.end) is not None or OFFERED.search(before) is not None


def _without_taken_back(reply: MarkedReply, text: str, read: Sequence[Claim]) -> list[Claim]:
    """A last choice that the rest of the reply takes back is none."""
    chosen = [position for position, claim in enumerate(read) if claim.kind == "chosen"]
    if not chosen:
        return list(read)
    last = chosen[-1]
    if TAKEN_BACK.match(text, text.index(reply.character(read[last].number)) + 1):
        return [*read[:last], read[last]._replace(kind="taken back"), *read[last + 1 :]]
    return list(read)
