"""Reading a reply: which option a model named, and how that was told (PROTOCOL section 3).

A reply is first brought into one form (:mod:`egobench.reply_text`), what was thought aloud is dropped, and an answer
that is declared as final is read alone. In that text the words of an option become ``⟦B⟧`` and a letter that is surely
one becomes ``⟨B⟩``; what is turned down ("not B", "A is wrong") and lists that only repeat the options are taken out.
Then the rules are tried in order; the first that finds a letter decides, and one that finds two finds no answer:

1. ``letter``: the reply is one letter, in whatever brackets and punctuation.
2. ``text``: the reply is the words of one option.
3. ``named``: a letter at the beginning or by itself; after "answer is" and its like; or one that "is correct".
4. ``concluded``: a letter after "so", "I choose", "probably" that ends its sentence.
5. ``contained``: one option is mentioned, by its words or by a sure letter; it may hold the words of others.

A bare capital inside a sentence is never a letter: in egocentric text "C" is the camera wearer and "A" an article. No
choice is ever random or a default. ``replies_corpus.jsonl`` beside this module holds replies and how a person reads
them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from egobench.prompts import LETTERS
from egobench.reply_text import ERROR, REFUSAL, declared, plain, without_thinking

LONGEST: Final = 4000
"""Characters of a reply that are read, its last ones without the thinking; this bounds the time."""

ReadingOutcome = Literal["answered", "unparsed", "refused"]


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


@dataclass(frozen=True, slots=True)
class _Said:
    """What the rules look at.

    Attributes:
        plain: The reply in plain form.
        marked: The same with every sure mention marked, without what is turned down and without repeated lists.
        options: The options in plain form.
        letters: Their letters.
    """

    plain: str
    marked: str
    options: tuple[str, ...]
    letters: str


def read_reply(text: str, options: Sequence[str]) -> Reading:
    """Read which option a reply names.

    Args:
        text: What the model wrote.
        options: The options it was shown, in order; at least one.

    Returns:
        The reading; ``choice`` is ``None`` unless ``outcome`` is ``answered``.
    """
    answer = without_thinking(unicodedata.normalize("NFKC", text))
    if answer is None:
        return Reading(None, "unparsed", "unclosed think block")
    told = plain(answer[-LONGEST:])
    if not re.search(r"\w", told):
        return Reading(None, "unparsed", "empty")
    if ERROR.match(plain(answer[:LONGEST])):
        return Reading(None, "unparsed", "error text")
    known = tuple(normalised(plain(option)) for option in options)
    # What is declared as the answer decides; where it names nothing, the reply as a whole may.
    reading = _first_rule(declared(told), known) or _first_rule([told], known)
    if reading is None and REFUSAL.search(told):
        return Reading(None, "refused", "declines")
    return reading or Reading(None, "unparsed", "no option named")


def _first_rule(parts: Sequence[str], options: tuple[str, ...]) -> Reading | None:
    said = [_said(part, options) for part in parts]
    for rule, find in _RULES:
        found = {letter for one in said for letter in find(one)}
        if len(found) > 1:
            return Reading(None, "unparsed", "several options")
        if found:
            return Reading(LETTERS.index(found.pop()), "answered", rule)
    return None


def normalised(text: str) -> str:
    """Text in one form: NFKC, lower case, single blanks, no surrounding punctuation."""
    folded = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return folded.strip(" .,:;!?*_`\"'()[]{}")


# --- Mentions: pieces of patterns, in which LETTER stands for the letters of the options shown -----------------------

_SIGN: Final = r"(?:⟨(?-i:LETTER)⟩)"
_WORDS: Final = r"(?:⟦(?-i:LETTER)⟧)"
_SURE: Final = rf"(?:{_SIGN}|{_WORDS})"
_BARE: Final = r"(?<![A-Za-z0-9_#])(?<![A-Za-z]['-])(?-i:LETTER)(?![A-Za-z0-9_]|['-][A-Za-z])"
_ITEM: Final = rf"(?:{_SURE}|{_BARE})"
_COMMA: Final = (
    r"(?:[\"')\]]*\s*(?:,\s*and\b|,\s*or\b|[,/&+;和或]|\b(?:and|or|nor)\b)\s*(?:then\s+)?[\"'(\[]*"
    r"(?:(?:option|choice)\s+)?"
    r"|(?<=[⟩⟧])\s*(?:-\s*)?(?=[⟨⟦]))"
)
_ITEMS: Final = rf"(?:{_ITEM}{_COMMA}){{0,9}}{_ITEM}"
# No word may follow a bare letter that would make it an article, a pronoun or the camera wearer.
_ENDS: Final = (
    r"(?=\s*(?:$|[.,;:!?)\]\n\"'|⟨⟦]|-\s|(?:because|since|as|due|given|based on|but|not|rather|instead)\b)|"
    r"[^\x00-\x7f])"
)
_LIST: Final = rf"(?:{_ITEM}{_COMMA}){{0,9}}(?:{_SURE}|{_BARE}{_ENDS})"
_OTHER: Final = rf"(?![ACI]){_BARE}"
_MARK: Final = (
    r"(?:\b(?:answer|ans|option|choice|letter|response|prediction|selection|solution|verdict|conclusion|decision|"
    r"(?:my|best) (?:guess|pick|bet)|respuesta|opción|réponse|antwort|risposta|resposta|ответ|đáp án)s?\b\.?|"
    r"答案|选项|选择|选|選項|選擇|選|正解|答え|정답|답|الإجابة|उत्तर)"
)
_LINK: Final = r"(?:\b(?:is|are|be|was|est|es|ist|là)\b|[:=>]|\s-\s|[èé是为為は은는]|هي|это)"
_FILL: Final = (
    r"[\s:,\"'({\[>=-]*(?:(?:that|the|most|likely|probably|clearly|definitely|therefore|thus|indeed|option|"
    r"choice|letter|it's|it is|it must be|on|la|le|die|either|both|only|just)\b[\s:,\"'({\[>-]*)*"
)
_RIGHT: Final = r"(?:correct|right|best|accurate|appropriate|true|answer|option|choice|match|description|fit)"


@lru_cache(maxsize=512)
def _pattern(template: str, letters: str) -> re.Pattern[str]:
    return re.compile(template.replace("LETTER", f"[{letters}]"), re.IGNORECASE)


def _letters(fragment: str) -> list[str]:
    return re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", fragment)


def _said(plain: str, options: tuple[str, ...]) -> _Said:
    letters = LETTERS[: len(options)]
    marked = _mark_letters(_mark_texts(plain, options, letters), letters)
    marked = _without_lists(_without_rejected(_merge(marked, options, letters), letters), letters)
    return _Said(plain, marked, options, letters)


def _mark_texts(plain: str, options: tuple[str, ...], letters: str) -> str:
    """Put ``⟦B⟧`` for the words of option B, the longest option first; for equal options all their letters."""
    named: dict[str, str] = {}
    for letter, option in zip(letters, options, strict=False):
        if len(option) == 1 and option.isalpha():
            # An option that is a letter itself ("C" did it) is known only behind its own letter.
            plain = re.sub(rf"(?<!\w)\(?{letter}[).:]\s*{option}(?!\w)", f"⟨{letter}⟩", plain, flags=re.IGNORECASE)
        else:
            named[option] = named.get(option, "") + f"⟦{letter}⟧"
    named.pop("", None)
    if not named:
        return plain
    # "No" before a word that it belongs to ("no doubt") is as little an answer as the article "a".
    determiner = {"no": r"(?! +(?!it\b|he\b|she\b|they\b|the\b|i\b|c\b)[a-z])"}
    texts = [
        r"\s+".join(map(re.escape, option.split())) + determiner.get(option, "")
        for option in sorted(named, key=len, reverse=True)
    ]
    cjk = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
    pattern = rf"(?<![^\W{cjk}])(?<!\w-)(?:{'|'.join(texts)})(?![^\W{cjk}]|-\w)"
    return re.sub(pattern, lambda found: named.get(normalised(found[0]), found[0]), plain, flags=re.IGNORECASE)


_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _mark_letters(text: str, letters: str) -> str:
    """Put ``⟨B⟩`` for "(B)", "option B" and "the second option"; "the camera wearer (C)" stays as it is."""
    wearer = r"(\b(?:wearer|person|operator|user|man|woman|lady|camera)\s+)?"
    text = _pattern(rf"{wearer}(?<!\w)[(\[{{<]\s*((?i:LETTER))\s*[)\]}}>]", letters).sub(
        lambda found: found[0] if found[1] else f"⟨{found[2].upper()}⟩", text
    )
    text = _pattern(
        r"\b(?:options?|choices?|letter)[ ]+(?:(?-i:(LETTER))(?![\w'])|(LETTER)(?=\W*$|[.,:;)]))", letters
    ).sub(lambda found: f"⟨{(found[1] or found[2]).upper()}⟩", text)
    text = _pattern(rf"({_MARK}(?:\s+is)?[\s:]*)(LETTER)(?=\s*[.,:;)]|\W*$)", letters).sub(
        lambda found: found[1] + found[2].upper(), text
    )
    text = _pattern(r"(?<![A-Za-z])(LETTER)(?:选项|選項|项)", letters).sub(r"⟨\1⟩", text)
    ordinals = "|".join(_ORDINALS[: len(letters)])
    return re.sub(
        rf"\b(?:the )?({ordinals}) (?:option|choice)\b",
        lambda found: f"⟨{LETTERS[_ORDINALS.index(found[1].lower())]}⟩",
        text,
        flags=re.IGNORECASE,
    )


def _merge(marked: str, options: tuple[str, ...], letters: str) -> str:
    """Make one mention of a letter with the words of its option, whole or cut off, on either side of it."""

    def one(found: re.Match[str]) -> str:
        letter, others = _letters(found[1])[0], _letters(found[2])
        own = options[letters.index(letter)]
        return f"⟨{letter}⟩" if any(options[letters.index(other)] in own for other in others) else found[0]

    def other(found: re.Match[str]) -> str:
        return f"⟨{_letters(found[2])[0]}⟩" if _letters(found[2])[0] in _letters(found[1]) else found[0]

    marked = _pattern(rf"({_SIGN}|{_BARE})[\s.,:;)|\"'(-]{{0,5}}({_WORDS}+)", letters).sub(one, marked)
    return _pattern(rf"({_WORDS}+)\s*({_SIGN})", letters).sub(other, marked)


_REJECTED: Final = (
    r"(?:\b(?:not|never|isn't|wasn't|aren't|neither|nor|rather than|instead of|unlike|rul(?:e|es|ed|ing) out|"
    r"eliminat(?:e|es|ed|ing)|exclud(?:e|es|ed|ing)|(?:wrong|incorrect) (?:answer|option|choice)s?(?: is| are)?:?)\s|"
    rf"不是|不选|并非)\s*(?:(?:true that|that|because|the|either|option|options|choice|be|it's)\s+)*({_LIST})",
    rf"({_ITEMS})\s+(?:(?:is|are|was|were|seems?|looks?|can|does|do|would|could)\s+(?:(?:clearly|obviously|also|"
    r"definitely|probably|both|all|simply|to be|be)\s+)*(?:wrong|incorrect|false|unlikely|implausible|irrelevant|"
    r"ruled out|eliminated|not)\b|(?:cannot|can't|doesn't|isn't|aren't|don't|wasn't)\b)",
    rf"({_ITEM})\s*[:-]\s*(?:wrong|incorrect|false)\b|({_ITEM})\s*是?(?:错|不对|不正确)",
)


def _without_rejected(marked: str, letters: str) -> str:
    for template in _REJECTED:
        marked = _pattern(template, letters).sub(" ", marked)
    return marked


def _without_lists(marked: str, letters: str) -> str:
    """Take out what only repeats the options: lines that begin with different ones, or all of them in a row."""
    row = r"\W{0,4}".join(f"[⟨⟦]{letter}[⟩⟧]" for letter in letters)
    marked = re.sub(row, " ", marked) if len(letters) > 1 else marked
    entry = _pattern(rf"[^\w⟨⟦]*(?:\d+[.)]\s*)?({_SURE}|{_BARE}(?=\s*[.:)]))", letters)
    lines = [(entry.match(line), line) for line in marked.split("\n")]
    entries = {found[1].strip("⟨⟩⟦⟧") for found, _ in lines if found}
    return "\n".join(line for found, line in lines if not found) if len(entries) > 1 else marked


# --- The rules -------------------------------------------------------------------------------------------------------

_AROUND: Final = r"[\s\"'()\[\]{}<>.,:;!?|\\/=+-]"
_LETTER: Final = re.compile(rf"{_AROUND}*([A-Za-z])(?:{_AROUND}+\1)*{_AROUND}*")
_NAMED: Final = (
    rf"^[^\w⟨⟦]*(?!⟦)({_LIST})(?:(?<=⟩)|(?=\s*(?:[).:;|\]]|\?\s*$|\n|$)|(?<!C)\s*-\s|\s*,?\s*(?:because|since|as|"
    r"but|not|with|rather|instead|i (?:think|believe|guess))\b))",
    rf"^[^\w⟨⟦]*({_OTHER})\s*[(\[]",
    rf"(?:^|[.!?\n])[^\w⟨⟦.!?\n]*({_SIGN}|{_BARE})[^\w⟨⟦.!?\n]*(?=$|[.!?\n])",
    rf"{_MARK}(?:[^.!?\n⟨⟦]{{0,60}}?{_LINK})?{_FILL}({_LIST}|{_OTHER})",
    rf"\b(?:correct|result|label|caption)\s*(?:\bis\b|[:=])?\s*({_LIST})",
    rf"({_ITEMS})\s+(?:is|are|seems?|looks?|appears?|would be|must be|should be|remains?)\s+(?:(?:to be|the|my|a|most|"
    rf"more|clearly|definitely|probably|only|very|likely|plausible|suitable|specific|and|{_RIGHT})\s+)*{_RIGHT}\b"
    r"(?=\s*(?:$|[.,;:!?)\n]|(?:because|since|as|for|given|to the|of)\b))",
    rf"({_ITEM})\s+(?:(?:best|most accurately|accurately)\s+)?(?:describes|matches|fits|answers|captures|represents|"
    r"explains|reflects)\b",
    rf"({_ITEM})\s*(?:选项)?\s*[是最]*\s*(?:正确|对的|合适)",
)
_STOPS: Final = r"(?!\s*,(?!\s*(?:because|since|as|not|but|rather|instead|i)\b))"
_CONCLUDED: Final = (
    r"(?:\b(?:so|therefore|thus|hence|but|then|consequently|leaves|leaving)\b|所以|因此|而是|认为是|应该是|应为|=>|->|→)"
    rf"{_FILL}(?!⟦)({_LIST}){_STOPS}",
    r"\b(?:i|we|i'd|i'll|i'm|let's|let us)\b[^.!?\n⟨⟦]{0,40}?\b(?:choose|chose|select|pick|go with|going with|say|"
    rf"think|believe|guess|vote for|opt for|settle on|answer|conclude)\b{_FILL}(?!⟦)({_LIST}){_STOPS}",
    r"(?:^|[.,;!?\n])\s*(?:it's|it is|it must be|that's|that is|maybe|perhaps|probably|possibly|most likely|likely|"
    rf"definitely|clearly|certainly|sure|sorry|okay|ok|yes|choosing|selecting|picking|going with){_FILL}(?!⟦)({_LIST})"
    r"(?=\s*[.!?]?\s*(?:$|\n))",
)


def _letter(said: _Said) -> list[str]:
    """The whole reply is one letter."""
    found = _LETTER.fullmatch(said.plain)
    return [found[1].upper()] if found and found[1].upper() in said.letters else []


def _text(said: _Said) -> list[str]:
    """The whole reply is the words of one option."""
    same = [
        letter for letter, option in zip(said.letters, said.options, strict=False) if option == normalised(said.plain)
    ]
    return same if len(same) == 1 and same[0] else []


def _named(said: _Said) -> list[str]:
    """A letter leads, stands by itself, is said to be the answer, or to be right."""
    # "A. words of B" says two things; longer words after a letter are an explanation.
    torn = _pattern(rf"({_SIGN}|{_BARE})\s*[.:)-]?\s*({_WORDS})\W*$", said.letters)
    return _found(_NAMED, torn.sub(r"\1 / \2", said.marked), said.letters)


def _concluded(said: _Said) -> list[str]:
    """A letter ends a sentence that concludes, chooses or guesses."""
    return _found(_CONCLUDED, said.marked, said.letters)


def _contained(said: _Said) -> list[str]:
    """One option is mentioned, and every other one that is lies inside its words. What is declined does not count."""
    clauses = re.split(r"(?<=[.!?;\n])|\b(?:but|however)\b", said.marked)
    kept = " ".join(clause for clause in clauses if not REFUSAL.search(clause))
    found = {letter for mention in _pattern(_SURE, said.letters).findall(kept) for letter in _letters(mention)}
    words = {letter: said.options[said.letters.index(letter)] for letter in found}
    outer = [letter for letter in found if all(other in words[letter] for other in words.values())]
    return outer if len(outer) == 1 else sorted(found)


def _found(templates: Sequence[str], marked: str, letters: str) -> list[str]:
    matches = (match for template in templates for match in _pattern(template, letters).finditer(marked))
    return [letter for match in matches for letter in _letters(match[1])]


_RULES: Final[tuple[tuple[str, Callable[[_Said], list[str]]], ...]] = (
    ("letter", _letter),
    ("text", _text),
    ("named", _named),
    ("concluded", _concluded),
    ("contained", _contained),
)
