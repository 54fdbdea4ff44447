"""Texts from outside with what acts on a terminal or a page made visible: control characters, marks of direction."""

from __future__ import annotations

_LINE_ENDS = {"\n", "\t"}
_DIRECTION_MARKS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def printable(text: str) -> str:
    r"""A text with control characters and marks of writing direction as visible escapes, e.g. ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    code = ord(character)
    acts = code < 0x20 or 0x7F <= code < 0xA0 or code in _DIRECTION_MARKS or 0xD800 <= code < 0xE000
    if not acts or character in _LINE_ENDS:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
