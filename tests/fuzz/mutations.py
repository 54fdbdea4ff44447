"""Mutations: from the bytes of a valid file to bytes that nobody wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 1e308, -0.0, "", " ", "\u0000", "\ud800", "../..", "/etc/passwd", "x" * 300, "[/x]",
    "\x1b[31m", "c999", "2020-01-01", [], {}, [[]], {"": None},
)  # fmt: skip
"""Values that a field may be replaced by."""

RAW = (b"NaN", b"1e999", b"9" * 5000, b"[" * 20_000, b'{"a":' * 5000, b"\xff\xfe", b"\x00", b"\r", b'"', b"-" * 2000)
"""Bytes that no JSON writer gives."""


def mutate(content: bytes, rng: Random) -> bytes:
    """One to three mutations of a file, after one another."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(MUTATIONS)(content, rng)
    return content


def _flip(content: bytes, rng: Random) -> bytes:
    if not content:
        return bytes([rng.randrange(256)])
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 4, 64))):
        flipped[rng.randrange(len(flipped))] = rng.randrange(256)
    return bytes(flipped)


def _cut(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _remove(content: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 200) :]


def _repeat(content: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = start + rng.randrange(1, 200)
    return content[:end] + content[start:end] + content[end:]


def _insert(content: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.choice(RAW) + content[start:]


def _swap_lines(content: bytes, rng: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


def _replace_value(content: bytes, rng: Random) -> bytes:
    """Another value at a random place of the JSON, of one of its lines, or of the header of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    if content[8:9] == b"{" and size <= len(content):
        header = _replace_value(content[8 : 8 + size], rng)
        return len(header).to_bytes(8, "little") + header + content[8 + size :]
    try:
        return _dump(_altered(json.loads(content), rng))
    except (ValueError, RecursionError):
        lines = content.splitlines()
    if not lines:
        return content
    number = rng.randrange(len(lines))
    try:
        lines[number] = _dump(_altered(json.loads(lines[number]), rng))
    except (ValueError, RecursionError):
        return _flip(content, rng)
    return b"\n".join(lines) + b"\n"


def _altered(value: Any, rng: Random) -> Any:
    """The value with one part of it replaced, removed or repeated."""
    parts: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    if not parts or rng.random() < 0.2:
        return rng.choice(NASTY)
    key = rng.choice(parts)
    change = rng.random()
    if change < 0.1:
        del value[key]
    elif change < 0.2 and isinstance(value, list):
        value.append(value[key])
    elif change < 0.25 and isinstance(value, dict):
        value[rng.choice(("", "id", "x", str(key) + "2"))] = value[key]
    else:
        value[key] = _altered(value[key], rng)
    return value


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip, _cut, _remove, _repeat, _insert, _swap_lines, _replace_value, _replace_value, _replace_value,
)  # fmt: skip
