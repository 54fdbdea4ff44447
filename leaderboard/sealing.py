"""Sealed replies: words that a reply repeats of its question or options are replaced by references to them.

A model may answer with the text of an option, and the annotations of most tasks may not be passed on. So a bundle
holds ``⟦B⟧`` for the text of option B, ``⟦B 0-4⟧`` for its first four words, ``⟦Q 2-9⟧`` for seven words of the
question. With the sample set the reply can be restored to the letter; without it a reference says which option was
named, and no more. Where a reply differs in capitals or punctuation the reference says so: ``case`` has a hexadecimal
mask of the capital letters of each word, ``gaps`` the characters between the words.

The model's own words stay as they are, also in an answer to an open question: no model is shown the reference answer. A
copy of fewer than :data:`SHORTEST` words that is no whole text stays as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

from egobench.errors import BundleError

SHORTEST = 4
"""Fewest consecutive words of a text that count as a copy of it; the whole of a text counts however short it is."""

MAX_REPLY = 2**20
"""Most characters that the references of a reply may stand for: more are a bomb, no reply."""

_WORD = re.compile(r"\w+")
_OPEN, _CLOSE = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}", "\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"
_REFERENCE = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_BODY = re.compile(
    r"(?P<key>[A-Za-z]+)(?: (?P<first>\d+)-(?P<end>\d+))?(?: case=(?P<case>[0-9a-f,]+))?(?: gaps=(?P<gaps>\S*))?",
    re.ASCII,
)


class Words(NamedTuple):
    """A text and the places of its words.

    Attributes:
        text: The text.
        spans: First position of each word, and the position after its last.
    """

    text: str
    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Find the words of a text."""
        return cls(text, tuple(match.span() for match in _WORD.finditer(text)))

    def word(self, number: int) -> str:
        """Return a word by its number, from 0."""
        first, end = self.spans[number]
        return self.text[first:end]

    def gap(self, number: int) -> str:
        """Return the characters between a word and the next one."""
        return self.text[self.spans[number][1] : self.spans[number + 1][0]]

    def piece(self, first: int, end: int) -> str:
        """Return the text from the word ``first`` to the one before the word ``end``."""
        return self.text[self.spans[first][0] : self.spans[end - 1][1]]


class _Copy(NamedTuple):
    """Words of a text by its key: from the word ``first`` to the one before the word ``end``."""

    key: str
    first: int
    end: int


def seal(reply: str, texts: Mapping[str, str]) -> str:
    """Replace copies of some texts in a reply by references.

    Args:
        reply: The reply.
        texts: The texts; a key is made of letters.
    """
    words, sources = Words.of(reply), {key: Words.of(text) for key, text in texts.items()}
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key, source in sources.items():
        for number in range(len(source.spans)):
            places[source.word(number).lower()].append((key, number))
    pieces: list[str] = []
    at, number = 0, 0
    while number < len(words.spans):
        copy = _longest_copy(words, number, sources, places)
        if copy is None:
            number += 1
            continue
        end = number + copy.end - copy.first
        pieces.append(_escape(reply[at : words.spans[number][0]]))
        pieces.append(_reference(copy, sources[copy.key], words, number))
        at, number = words.spans[end - 1][1], end
    return "".join([*pieces, _escape(reply[at:])])


def unseal(sealed: str, texts: Mapping[str, str]) -> str:
    """Restore a reply that was sealed.

    Args:
        sealed: From :func:`seal`.
        texts: The texts that it was sealed with.

    Raises:
        BundleError: If a reference is malformed or names no text, or all together stand for more than
            :data:`MAX_REPLY` characters.
    """
    sources: dict[str, Words] = {}
    remaining = MAX_REPLY

    def restore(match: re.Match[str]) -> str:
        if match[1] == _OPEN:
            return _OPEN
        body = _BODY.fullmatch(match[1])
        if body is None or body["key"] not in texts:
            raise BundleError(f"a sealed reply refers to {match[1]!r:.80}, which is no text of its sample")
        source = sources.setdefault(body["key"], Words.of(texts[body["key"]]))
        first, end = int(body["first"] or 0), int(body["end"] or len(source.spans))
        if not 0 <= first < end <= len(source.spans):
            raise BundleError(f"a sealed reply refers to words {first} to {end} of a text of {len(source.spans)} words")
        nonlocal remaining
        piece = _restored(source, _Copy(body["key"], first, end), body["case"], body["gaps"])
        remaining -= len(piece)
        if remaining < 0:
            raise BundleError(f"a sealed reply repeats more than {MAX_REPLY:,} characters of its sample")
        return piece

    return _REFERENCE.sub(restore, sealed)


def holds_copy(text: str, texts: Mapping[str, str]) -> bool:
    """Tell whether a text, such as a sealed reply, still has a copy of some texts outside of its references.

    Args:
        text: The text.
        texts: The texts by key.
    """
    return any(seal(piece, texts) != _escape(piece) for piece in _REFERENCE.split(text)[::2])


def _longest_copy(
    words: Words, number: int, sources: Mapping[str, Words], places: Mapping[str, Sequence[tuple[str, int]]]
) -> _Copy | None:
    best: _Copy | None = None
    for key, first in places.get(words.word(number).lower(), ()):
        source = sources[key]
        length = sum(1 for _ in _equal_words(words, number, source, first))
        whole = first == 0 and length == len(source.spans)
        if (whole or length >= SHORTEST) and (best is None or length > best.end - best.first):
            best = _Copy(key, first, first + length)
    return best


def _equal_words(words: Words, number: int, source: Words, first: int) -> Iterator[int]:
    """Yield how many words ahead two texts are still equal but for capitals, from two places on."""
    for ahead in range(min(len(words.spans) - number, len(source.spans) - first)):
        word, other = words.word(number + ahead), source.word(first + ahead)
        if word != other and _with_case(other, _mask(word)) != word:
            return
        yield ahead


def _reference(copy: _Copy, source: Words, words: Words, number: int) -> str:
    count = copy.end - copy.first
    parts = [copy.key]
    if count < len(source.spans):
        parts.append(f"{copy.first}-{copy.end}")
    own = [words.word(number + ahead) for ahead in range(count)]
    if own != [source.word(copy.first + ahead) for ahead in range(count)]:
        parts.append("case=" + ",".join(f"{_mask(word):x}" for word in own))
    gaps = [words.gap(number + ahead) for ahead in range(count - 1)]
    if gaps != [source.gap(copy.first + ahead) for ahead in range(count - 1)]:
        parts.append("gaps=" + ",".join(quote(gap, safe="", errors="surrogatepass") for gap in gaps))
    return f"{_OPEN}{' '.join(parts)}{_CLOSE}"


def _restored(source: Words, copy: _Copy, case: str | None, gaps: str | None) -> str:
    if case is None and gaps is None:
        return source.piece(copy.first, copy.end)
    numbers = range(copy.first, copy.end)
    masks = [int(mask, 16) for mask in case.split(",") if mask] if case is not None else []
    between = [unquote(gap, errors="surrogatepass") for gap in gaps.split(",")] if gaps is not None else []
    if (case is not None and len(masks) != len(numbers)) or (gaps is not None and len(between) < len(numbers) - 1):
        raise BundleError(f"a sealed reply spells {len(numbers)} words in another number of ways")
    restored: list[str] = []
    for ahead, number in enumerate(numbers):
        word = source.word(number)
        restored.append(_with_case(word, masks[ahead]) if masks else word)
        if number < copy.end - 1:
            restored.append(between[ahead] if gaps is not None else source.gap(number))
    return "".join(restored)


def _mask(word: str) -> int:
    """Return the capital letters of a word as bits, the first letter lowest."""
    return sum(1 << place for place, letter in enumerate(word) if letter.isupper())


def _with_case(word: str, mask: int) -> str:
    return "".join(letter.upper() if mask >> place & 1 else letter.lower() for place, letter in enumerate(word))


def _escape(text: str) -> str:
    return text.replace(_OPEN, f"{_OPEN}{_OPEN}{_CLOSE}")
