"""A reply as plain text, without thinking, Markdown, LaTeX, HTML and chat tokens; what it declares as its answer."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

_TICKS: Final = dict.fromkeys(map(ord, "\u2705\u2713\u2611\U0001f5f8"), "\u2714")
_CROSSES: Final = dict.fromkeys(map(ord, "\u2717\u2716\u274c\u274e\U0001f6ab\u26d4"), "\u2718")
_PLAIN_CHARACTERS: Final = (
    str.maketrans(
        "\u2018\u2019\u201a\u201c\u201d\u201e\u2013\u2014\u2212\u3002\u3001\u3010\u3011\u300c\u300d\u300e\u300f\u300a"
        "\u300b\u3008\u3009\u3014\u3015\u3016\u3017\u27e8\u27e9\u27e6\u27e7\u00bf\u00ab\u00bb\uff5e\u0964\u06d4\u060c",
        '\'\'\'"""---.,()()()()()()()()() ""~..,',
    )
    | _TICKS
    | _CROSSES
)
_ANSWER_TAGS: Final = (
    r"answer|final_?answer|final|ans|option|choice|response|result|solution|letter|output|prediction|verdict|conclusion"
)
_BOX_TOKENS: Final = re.compile(r"<\|begin_of_(?:box|solution|answer)\|>(.*?)(?:<\|end_of_\w+\|>|$)", re.DOTALL)
_DROPPED: Final = re.compile(
    r"~~[^~\n]*~~|<\|[^|<>]*\|>|</?s>|<(?:[be]os|pad|(?:start|end)_of_\w+)>|\[/?INST\]|^\s*assistant\s*:",
    re.IGNORECASE,
)
_HTML: Final = re.compile(rf"</?(?!(?i:{_ANSWER_TAGS})\s*>)(?:[bip]|[A-Za-z]\w{{1,20}})\b[^<>\n]{{0,200}}>")
_LATEX_TEXT: Final = re.compile(r"(?:\\|\t(?=ext))t?(?:ext(?:bf|it|rm|sf)?|math(?:rm|bf|it|sf)|mbox)\s*\{([^{}]*)\}")
_LATEX_MATH: Final = re.compile(r"\$|\\[()\[\]]")
_EATEN_BOX: Final = re.compile(r"[\x08\x0c]box|\x08oxed|\\fbox|(?<![\w\\])boxed(?=\s*\{)")
_LINE_MARKS: Final = re.compile(r"^[ \t]*(?:#+|>|[-+])[ \t]+", re.MULTILINE)
_EDGE_UNDERSCORES: Final = re.compile(r"(?<!\w)_+|_+(?!\w)")
_QUESTION_AND_ANSWER: Final = re.compile(
    r"(?:^|(?<=\?))[ \t]*A:[ \t]*(?=(?:[Oo]ption )?\(?[A-Z]\)?[^\w\n]*$)", re.MULTILINE
)
_BLANKS: Final = re.compile(r"[^\S\n]+")
_LINE_ENDS: Final = re.compile(r" ?\n[ \n]*")
_ABBREVIATIONS: Final = re.compile(r"\b(e\.g|i\.e|vs|etc|cf)\.", re.IGNORECASE)

_THOUGHT: Final = (
    r"(?:\w{1,20}[:_])?(?:think|thinking|thoughts?|reason|reasoning|reflect|reflection|analysis|scratchpad|rationale)"
    r"(?:_\w{1,20})?"
)
_THINK_TAG: Final = re.compile(
    rf"(?P<end></(?:{_THOUGHT})>|<\|/(?:{_THOUGHT})\|>|<\|end_(?:of_)?(?:{_THOUGHT})\|>|\u25c1/(?:{_THOUGHT})\u25b7"
    r"|\[/think(?:ing)?\]|<unused95>|<channel\|>|\.\.\.done thinking\.)"
    rf"|<(?:{_THOUGHT})>|<\|(?:{_THOUGHT})\|>|<\|(?:start|begin)_(?:of_)?(?:{_THOUGHT})\|>|\u25c1(?:{_THOUGHT})\u25b7"
    r"|\[think(?:ing)?\]|<unused94>(?:thought\b)?|<\|?channel\|?>(?=analysis|commentary|thought)",
    re.IGNORECASE,
)
_FINAL_CHANNEL: Final = re.compile(r"<\|channel\|>final<\|message\|>|\bassistantfinal(?=\W|[A-Z])")
_STRIPPED_ANALYSIS: Final = re.compile(r"\s*analysis(?=[A-Z])")
_TAGGED: Final = re.compile(rf"<({_ANSWER_TAGS})>(.*?)(?:</\1\s*>|$)", re.DOTALL | re.IGNORECASE)
_LEFT_TAG: Final = re.compile(rf"</?(?:{_ANSWER_TAGS})\s*>", re.IGNORECASE)
_BOXED: Final = re.compile(r"\\boxed\s*\{?([^{}]*)")
_FIELD: Final = re.compile(
    r"""["'](?!\w{0,20}options)\w{0,20}(?:answer|choice|option|prediction|letter|final|selected|selection)\w{0,20}["']"""
    r"""\s*:\s*(?:"([^"]*)|'([^']*)|\[([^\]]*)|(\w+))""",
    re.IGNORECASE,
)
_FINAL_WORD: Final = r"\bfinal[ _](?:answer|choice|decision|option|selection|response)\b"
_FINAL_ANSWER: Final = re.compile(
    rf"{_FINAL_WORD}\)?['\"]*\s*(?:(?:is|be|would|must|will|should|remains)\b|[:=(>\n-]|$)", re.IGNORECASE
)
_FINAL_MENTIONED: Final = re.compile(_FINAL_WORD, re.IGNORECASE)

ERROR: Final = re.compile(
    r"\W*(?:error(?: code)?\s*\"?\s*[:\d]|[\w.]*(?:error|exception)\s*:|traceback \(|http(?:/[\d.]+)? ?[45]\d\d\b|"
    r"[45]\d\d (?:bad|internal|service|too many)|\w*request_failed|failed to obtain answer|html\b|"
    r"(?:request|connection) (?:timed out|failed|refused))",
    re.IGNORECASE,
)
"""Matches a plain text that begins as the message of an error does."""


_UNMARKED: Final = re.compile(r"[A-Za-z0-9 ,.;!?'\"()/%&=-]*")
_MARKED: Final = ("  ", "assistant", "e.g.", "i.e.", "vs.", "etc.", "cf.")


def plain(text: str) -> str:
    """Text without Markdown, LaTeX, HTML, chat tokens, symbols and invisible characters.

    Quotes, brackets and dashes become the plain ones, runs of blanks one blank, blank lines nothing, ticks and crosses
    one of each; tags that hold an answer stay.
    """
    # Most options and many replies hold nothing that anything below looks for.
    if _UNMARKED.fullmatch(text):
        lowered, stripped = text.lower(), text.strip()
        if not stripped.startswith("-") and not any(mark in lowered for mark in _MARKED):
            return stripped
    return _without_marks(text)


def _without_marks(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).translate(_PLAIN_CHARACTERS)
    text = _EATEN_BOX.sub(r"\\boxed", text) if "ox" in text else text
    text = _LATEX_MATH.sub(" ", _LATEX_TEXT.sub(r"\1", text))
    if "<" in text or "[" in text or "~" in text or "assistant" in text[:40].lower():
        text = _HTML.sub(" ", _DROPPED.sub(" ", _BOX_TOKENS.sub(r"<answer>\1</answer>", text)))
    text = text.replace("*", "").replace("`", "")
    if not text.isascii() or not text.isprintable():
        text = "".join(map(_visible, text))
    text = _EDGE_UNDERSCORES.sub("", _LINE_MARKS.sub("", text))
    text = _ABBREVIATIONS.sub(lambda match: match[1].replace(".", ""), text)
    text = _LINE_ENDS.sub("\n", _BLANKS.sub(" ", text)).strip()
    return _QUESTION_AND_ANSWER.sub(" Answer: ", text).strip()


def without_thinking(text: str) -> str | None:
    """What stands outside the thinking; ``None`` when the thinking never ends.

    An end that was never opened (the template held the opening) ends what stands before it. An element that holds an
    answer counts even where the thinking before it was not closed.
    """
    finals = list(_FINAL_CHANNEL.finditer(text))
    if finals:
        return text[finals[-1].end() :]
    if _STRIPPED_ANALYSIS.match(text):
        return None
    outside: list[str] = []
    opened: int | None = None
    position = 0
    for tag in _THINK_TAG.finditer(text):
        if tag["end"] is None:
            if opened is None:
                outside.append(text[position : tag.start()])
                opened = tag.end()
        else:
            # What stands before an end is thought, unless it stands outside an opened block.
            outside = outside if opened is not None else []
            opened = None
            position = tag.end()
    if opened is None:
        return " ".join([*outside, text[position:]]) if position or outside else text
    tagged = _TAGGED.search(text, opened)
    return tagged[0] if tagged else None


def declared(text: str) -> list[str]:
    """What a plain text marks as its answer: an element, a box, a JSON field, or what is called the final answer."""
    parts = [match[2].strip() for match in _TAGGED.finditer(text)] if "<" in text else []
    if any(parts):
        return [inner for part in parts if part for inner in _boxed(part) or [without_tags(part)]]
    if parts := _boxed(text):
        return parts
    fields = _FIELD.finditer(text) if ":" in text else ()
    parts = ["".join(filter(None, match.groups())).strip() for match in fields]
    if any(parts):
        return [part for part in parts if part]
    if "final" not in text.lower():
        return []
    starts = [match.start() for match in _FINAL_ANSWER.finditer(text)]
    starts = starts or [match.start() for match in _FINAL_MENTIONED.finditer(text)][-1:]
    # The sentence that a declaration ends may take it back ("if so, the final answer is B").
    starts = sorted({max(text.rfind(mark, 0, start) for mark in ".!?;\n") + 1 for start in starts})
    return [text[start:end].replace("_", " ") for start, end in pairwise([*starts, len(text)])]


def _boxed(text: str) -> list[str]:
    return [part for match in _BOXED.finditer(text) if (part := without_tags(match[1]).strip())]


def without_tags(text: str) -> str:
    """A plain text without the tags that hold an answer."""
    return _LEFT_TAG.sub("\n", text) if "<" in text else text


def normalised(text: str) -> str:
    """Text in one form: NFKC, lower case, single blanks, no surrounding punctuation."""
    folded = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return folded.strip(" .,:;!?*_`\"'()[]{}")


def _visible(character: str) -> str:
    if character in "\n\t\u2714\u2718":
        return character
    kind = unicodedata.category(character)
    if kind == "So":
        return " "
    return "" if kind in {"Cc", "Cf", "Co", "Cs"} else character
