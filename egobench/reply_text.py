"""A reply in one form, and the parts of it that say nothing about the options: thinking, errors, refusals."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_QUOTES_AND_BRACKETS: Final = str.maketrans(
    "\u2018\u2019\u201a\u201c\u201d\u201e\u2013\u2014\u2212\u3002\u3001\u3010\u3011\u300c\u300d\u300e\u300f\u300a\u300b"
    "\u3008\u3009\u3014\u3015\u3016\u3017\u27e8\u27e9\u27e6\u27e7",
    "'''\"\"\"---.,()()()()()()()()()",
)
_DROPPED: Final = re.compile(
    r"~~.*?~~|<\|[^|<>]*\|>|</?s>|<(?:[be]os|pad|end_of_\w+)>|\[/?INST\]|^\s*assistant\s*:", re.IGNORECASE
)
_HTML: Final = re.compile(r"</?(?:b|br|code|div|em|i|p|span|strong)\b[^<>]*>")
_LATEX_TEXT: Final = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox)\s*\{([^{}]*)\}")
_LATEX_MATH: Final = re.compile(r"\$|\\[()\[\]]")
_LINE_MARKS: Final = re.compile(r"^[ \t]*(?:#+|>|[-+])[ \t]+", re.MULTILINE)
_EDGE_UNDERSCORES: Final = re.compile(r"(?<!\w)_+|_+(?!\w)")
_QUESTION_AND_ANSWER: Final = re.compile(r"^[ \t]*A:[ \t]*(?=\(?[A-Z]\)?\W*$)", re.MULTILINE)

_THOUGHT: Final = r"(?:think|thinking|thought|reasoning|reflection|analysis|scratchpad)"
_THINK_OPEN: Final = re.compile(rf"[<\[\u25c1]{_THOUGHT}[>\]\u25b7]", re.IGNORECASE)
_THINK_END: Final = re.compile(rf"[<\[\u25c1]/{_THOUGHT}[>\]\u25b7]", re.IGNORECASE)
_THINK: Final = re.compile(f"{_THINK_OPEN.pattern}.*?{_THINK_END.pattern}", re.IGNORECASE | re.DOTALL)
_FINAL_CHANNEL: Final = "<|channel|>final<|message|>"

_TAGGED: Final = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.DOTALL | re.IGNORECASE)
_BOXED: Final = re.compile(r"\\f?boxed\s*\{?([^{}]*)")
_FIELD: Final = re.compile(
    r"""["']\w*(?:answer|choice|option|prediction|letter)\w*["']\s*:\s*(?:"([^"]*)|'([^']*)|\[([^\]]*)|(\w+))""",
    re.IGNORECASE,
)
_FINALLY: Final = re.compile(r"\bfinal ((?:answer|choice|decision)\b.*)", re.DOTALL | re.IGNORECASE)

ERROR: Final = re.compile(
    r"\W*(?:error(?: code)?\s*\"?\s*[:\d]|[\w.]*(?:error|exception)\s*:|traceback \(|http(?:/[\d.]+)? ?[45]\d\d\b|"
    r"[45]\d\d (?:bad|internal|service|too many)|\w*request_failed|failed to obtain answer|html\b|"
    r"(?:request|connection) (?:timed out|failed|refused))",
    re.IGNORECASE,
)
"""Matches a plain text that begins as the message of an error does."""

REFUSAL: Final = re.compile(
    r"\b(?:(?:cannot|can't|can not|unable to|not able to|won't|will not)\b|i(?:'m| am)? (?:sorry|apologi[sz]e)|"
    r"i (?:must decline|decline|refuse)|i (?:don't|do not) (?:know|see|have)|i(?:'m| am) not sure|no idea\b|as an ai\b|"
    r"(?:not possible|impossible) to|(?:not|isn't) enough information|insufficient|please (?:provide|upload)|no video|"
    r"(?:haven't|have not) (?:provided|uploaded)|lo siento|no puedo|je ne (?:peux|sais)|ich (?:kann|weiß))|"
    r"无法|抱歉|不知道|不能确定|わかりません|모르",
    re.IGNORECASE,
)
"""Found in a plain text that declines to answer."""


def plain(text: str) -> str:
    """Text without Markdown, LaTeX, HTML, chat tokens, symbols and invisible characters; quotes and brackets plain."""
    text = _DROPPED.sub(" ", unicodedata.normalize("NFKC", text).translate(_QUOTES_AND_BRACKETS))
    text = _LATEX_MATH.sub(" ", _LATEX_TEXT.sub(r"\1", _HTML.sub(" ", text)))
    text = "".join(_visible(character) for character in text.replace("*", "").replace("`", ""))
    text = _EDGE_UNDERSCORES.sub("", _LINE_MARKS.sub("", text))
    return _QUESTION_AND_ANSWER.sub("Answer: ", text).strip()


def without_thinking(text: str) -> str | None:
    """What follows the thinking; ``None`` when the thinking never ends."""
    rest = text.rpartition(_FINAL_CHANNEL)[2]
    if _THINK_END.search(rest):
        end = [found.end() for found in _THINK_END.finditer(rest)][-1]
        rest = _THINK_END.split(_THINK.sub(" ", rest[:end]) + rest[end:])[-1]
    opened = _THINK_OPEN.search(rest)
    if opened is None:
        return rest
    tagged = _TAGGED.search(rest, opened.end())
    return tagged[0] if tagged else None


def declared(text: str) -> list[str]:
    """What a plain text marks as its answer: a tag, a box, a JSON field, or what follows the last "final answer"."""
    for pattern in (_TAGGED, _BOXED, _FIELD):
        found = ["".join(filter(None, match.groups())).strip() for match in pattern.finditer(text)]
        if any(found):
            return [part for part in found if part]
    said = _FINALLY.search(text, max(text.lower().rfind("final "), 0))
    return [said[1]] if said else []


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if character in "\n\t" or kind not in {"Cc", "Cf", "So"}:
        return character
    return " " if kind == "So" else ""
