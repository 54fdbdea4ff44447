"""Mentions of options in a reply: where a letter or the words of an option stand.

A reply is rewritten with one private character per mention, whose range says what kind of mention it is, so that the
patterns of :mod:`egobench.replies.claims` are compiled once and serve every set of options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from egobench.prompts import LETTERS
from egobench.replies.plain_text import normalised

_KINDS: Final = ("sign", "phrase", "words", "bare", "weak")
_KIND_SIZE: Final = 0x2000
_FIRST: Final = 0xF0000

SIGN: Final = "[\U000f0000-\U000f1fff]"
"""A letter in brackets, or a letter with the words of its option."""
PHRASE: Final = "[\U000f2000-\U000f3fff]"
"""A letter after "option", or "the second option"."""
LETTERED: Final = "[\U000f0000-\U000f3fff]"
WORDS: Final = "[\U000f4000-\U000f5fff]"
"""The words of an option without its letter."""
SURE: Final = "[\U000f0000-\U000f5fff]"
BARE: Final = "[\U000f6000-\U000f7fff]"
"""A capital by itself that is no word of English."""
WEAK: Final = "[\U000f8000-\U000f9fff]"
"""A capital by itself that may be an article, a pronoun or the camera wearer: A, C, I."""
ANY: Final = "[\U000f0000-\U000f9fff]"
LONG_MENTION: Final = len("( B ) ")
"""Characters of a mention that holds more than a letter in brackets."""
NO_MENTION: Final = "\U000f0000-\U000f9fff"
"""For the inside of a negated class: all mentions."""

_CJK: Final = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
_WORD_BEFORE: Final = re.compile(rf"(?:[^\W{_CJK}]|\w-|\d[.,])\Z")
_WORD_AFTER: Final = re.compile(rf"[^\W{_CJK}]|-\w|[.,]\d")
_BRACKETED: Final = re.compile(r"(?<!\w)[(\[{<] ?([A-Za-z]) ?[)\]}>]")
_WEARER: Final = re.compile(
    r"\b(?:wearer|person|operator|user|man|woman|lady|camera|player|subject|actor|he|she)\s*\Z", re.IGNORECASE
)
_PHRASE: Final = re.compile(
    r"\b(?:options?|choices?|caption|alternative|(?:la |a )?opci[oó]n|opção|opzione|optie|alternativa?)[ ]+"
    r"(?:[(\[\"']?([A-Z])(?:[)\]\"'](?!\w)|(?![\w'])(?!['\"]\w))|([a-z])(?=[^\w\n]*$|[.,:;)]))"
    r"|(?<![A-Za-z])([A-Z]) ?(?:选项|選項|项|項)|(?:选项|選項|選択肢) ?([A-Z])(?![A-Za-z])",
    re.IGNORECASE | re.MULTILINE,
)
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL: Final = re.compile(rf"\b(?:the )?({'|'.join(_ORDINALS)}) (?:option|choice)\b", re.IGNORECASE)
_CAPITAL: Final = re.compile(
    r"(?!I(?:, | )(?!(?:is|seems|looks|because|since|best|matches|fits|or|and|but|it)\b)[a-z])"
    r"(?<![A-Za-z0-9_#\u00c0-\u024f])(?<![A-Za-z]['-])[A-Z](?![A-Za-z0-9_\u00c0-\u024f]|['-][A-Za-z])"
)
_DECLARED_SMALL: Final = re.compile(
    r"\b(?:answer|ans|option|choice|letter)(?:( is)| ?[:=])[ \"'(]*([a-z])(?=[^\w\n]*$|[.,;:)])",
    re.IGNORECASE | re.MULTILINE,
)
_DETERMINED: Final = re.compile(r" +(?!(?:it|he|she|they|the|i|c)\b)[a-z]", re.IGNORECASE)
_AFTER_LABEL: Final = re.compile(r"[\s.,:;)|\"'(\]=-]{0,6}")
_ARTICLE: Final = re.compile(r"(?:(?:it|that|this) (?:is|was) )?(?:the|a|an|his|her|my|some) ", re.IGNORECASE)
_LEAST_CUT: Final = 10
"""Characters of an option's beginning that show which one it is."""


class Mention(NamedTuple):
    """Where an option is mentioned.

    Attributes:
        letters: Positions of the options; several where equal words, or a letter and another option's words, say so.
        kind: ``sign``, ``phrase``, ``words``, ``bare`` or ``weak``.
        start: Where it begins in the plain text.
        end: Where it ends.
    """

    letters: tuple[int, ...]
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MarkedReply:
    """A plain reply with a private character per mention.

    Attributes:
        text: The reply.
        mentions: The mentions, in order.
    """

    text: str
    mentions: tuple[Mention, ...]

    def without_places(self) -> MarkedReply:
        """The reply as claims are read from it: mentions without their places, and no longer than is looked at."""
        mentions = (
            mention._replace(start=0, end=min(mention.end - mention.start, LONG_MENTION)) for mention in self.mentions
        )
        return replace(self, mentions=tuple(mentions))

    def character(self, number: int) -> str:
        """Private character that stands for a mention."""
        return chr(_FIRST + _KIND_SIZE * _KINDS.index(self.mentions[number].kind) + number)

    def letters(self, characters: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Number of each mention in a piece of the text, and the options it names."""
        for character in characters:
            if _FIRST <= ord(character) < _FIRST + _KIND_SIZE * len(_KINDS):
                number = (ord(character) - _FIRST) % _KIND_SIZE
                yield number, self.mentions[number].letters


def marked_reply(plain: str, options: Sequence[str]) -> MarkedReply:
    """Find every mention of an option.

    Args:
        plain: The reply in plain form, of fewer characters than a kind of mention has numbers (8,192).
        options: The options in normalised form.
    """
    folded = _folded(plain)
    covered = bytearray(len(plain))
    mentions = list(_words(plain, folded, options, covered))
    mentions += _lettered(plain, len(options), covered)
    mentions = _joined(plain, folded, options, sorted(mentions, key=lambda mention: mention.start))
    marked = MarkedReply("", tuple(mentions))
    pieces: list[str] = []
    position = 0
    for number, mention in enumerate(mentions):
        pieces += [plain[position : mention.start], marked.character(number)]
        position = mention.end
    return replace(marked, text="".join([*pieces, plain[position:]]))


def _folded(plain: str) -> str:
    """A plain text in lower case, as long as it was, with blanks for line ends."""
    if plain.isascii():
        return plain.lower().replace("\n", " ")
    return "".join(
        " " if character == "\n" else (character.lower() if len(character.lower()) == 1 else character)
        for character in plain
    )


def _words(plain: str, folded: str, options: Sequence[str], covered: bytearray) -> Iterator[Mention]:
    """Mentions by words, the longest option first; an option that is a letter itself has none."""
    positions: dict[str, list[int]] = {}
    for position, option in enumerate(options):
        if option and not (len(option) == 1 and option.isalpha()):
            positions.setdefault(option, []).append(position)
    for option in sorted(positions, key=len, reverse=True):
        start = folded.find(option)
        while start >= 0:
            end = start + len(option)
            if not any(covered[start:end]) and _stands_alone(plain, start, end, option):
                covered[start:end] = b"\1" * len(option)
                yield Mention(tuple(positions[option]), "words", start, end)
            start = folded.find(option, end)


def _stands_alone(plain: str, start: int, end: int, option: str) -> bool:
    if _WORD_BEFORE.search(plain, max(start - 2, 0), start) or _WORD_AFTER.match(plain, end):
        return False
    # "No" before a word that it belongs to ("no doubt") is as little an answer as the article "a".
    return option != "no" or _DETERMINED.match(plain, end) is None


def _lettered(plain: str, count: int, covered: bytearray) -> Iterator[Mention]:
    """Mentions by letter, the sure ones first."""
    searches: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[str, str] | None]], ...] = (
        (_PHRASE, lambda match: (match[1] or match[2] or match[3] or match[4], "phrase")),
        (_BRACKETED, lambda match: None if _follows_wearer(plain, match.start()) else (match[1], "sign")),
        (_ORDINAL, lambda match: (LETTERS[_ORDINALS.index(match[1].lower())], "phrase")),
        (_CAPITAL, lambda match: (match[0], "weak" if match[0] in "ACI" else "bare")),
    )
    for pattern, reading in searches:
        for match in pattern.finditer(plain):
            letter_and_kind = reading(match)
            if letter_and_kind is None or any(covered[match.start() : match.end()]):
                continue
            letter, kind = letter_and_kind
            position = LETTERS.find(letter.upper())
            if 0 <= position < count:
                covered[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                yield Mention((position,), kind, match.start(), match.end())
    for match in _DECLARED_SMALL.finditer(plain):
        start, end = match.span(2)
        position = LETTERS.find(match[2].upper())
        # "The answer is a" was cut off before a noun.
        if not covered[start] and 0 <= position < count and not (match[1] and match[2] in "ai"):
            yield Mention((position,), "bare", start, end)


def _follows_wearer(plain: str, start: int) -> bool:
    return _WEARER.search(plain, max(start - 12, 0), start) is not None


def _joined(plain: str, folded: str, options: Sequence[str], mentions: list[Mention]) -> list[Mention]:
    """Make one mention of a letter and the words beside it: of its own option, whole or cut off, or of another's."""
    joined: list[Mention] = []
    skipped_to = 0
    for number, mention in enumerate(mentions):
        if mention.start < skipped_to:
            continue
        following = mentions[number + 1] if number + 1 < len(mentions) else None
        before = joined[-1] if joined else None
        if mention.kind == "words":
            merged: Mention | None = None
        else:
            merged = _with_words_before(plain, before, mention, following)
            if merged is not None:
                joined.pop()
            else:
                merged = _with_words_after(plain, folded, options, mention, mentions[number + 1 : number + 3])
        joined.append(merged or mention)
        skipped_to = joined[-1].end
    return joined


def _with_words_before(plain: str, before: Mention | None, label: Mention, following: Mention | None) -> Mention | None:
    """``C opens the fridge (B)``, unless the letter belongs to the words that follow it."""
    if before is None or before.kind != "words" or label.kind not in {"sign", "phrase"}:
        return None
    if not re.fullmatch(r"[\s\"'.,(]{0,4}", plain[before.end : label.start]):
        return None
    if (
        following is not None
        and following.kind == "words"
        and _AFTER_LABEL.fullmatch(plain, label.end, following.start)
    ):
        return None
    letters = label.letters if set(label.letters) <= set(before.letters) else before.letters + label.letters
    return Mention(letters, "sign", before.start, label.end)


def _with_words_after(
    plain: str, folded: str, options: Sequence[str], label: Mention, following: Sequence[Mention]
) -> Mention | None:
    """``B. C opens the fridge``, whole or cut off; with another option's words it names both."""
    own = label.letters[0]
    gap = _AFTER_LABEL.match(plain, label.end)
    begin = gap.end() if gap else label.end
    punctuated = plain[label.end : begin] not in {"", " "}
    article = _ARTICLE.match(plain, begin)
    starts = {begin, article.end() if article else begin}
    words = next((mention for mention in following if mention.kind == "words" and mention.start in starts), None)
    if words is None:
        return _cut_off(folded, options, label, begin) if punctuated or label.kind == "sign" else None
    letters: tuple[int, ...] | None = None
    end = words.end
    if own in words.letters:
        letters = (own,)
    elif words.start == begin and options[own].startswith(options[words.letters[0]]):
        letters = (own,)
        rest = folded[begin:].strip(" .\"'")
        end = len(folded) if rest and options[own].startswith(rest) else end
    elif punctuated or label.kind != "weak":
        letters = (own, *words.letters)
    # Else "A bottle" is an article and a noun; "C opens it" has the camera wearer in it.
    return None if letters is None else Mention(letters, "sign", label.start, end)


def _cut_off(folded: str, options: Sequence[str], label: Mention, begin: int) -> Mention | None:
    """A letter whose words the reply's end cuts off: its own option's, or so many of another's that they are sure."""
    own = label.letters[0]
    if len(options[own]) == 1 and folded.startswith(options[own], begin) and begin > label.end:
        return Mention((own,), "sign", label.start, begin + 1)
    rest = normalised(folded[begin:]) if len(folded) - begin <= max(map(len, options)) + 8 else ""
    if len(rest) < len("it"):
        return None
    if options[own].startswith(rest):
        return Mention((own,), "sign", label.start, len(folded))
    others = tuple(position for position, option in enumerate(options) if option.startswith(rest))
    return Mention((own, *others), "sign", label.start, len(folded)) if others and len(rest) >= _LEAST_CUT else None
