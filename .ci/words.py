"""Counts values that are named by what was done to them, ``found`` or ``told``, instead of by what they are.

Usage: ``python .ci/words.py --ceiling 0.01 [--also] [FOLDER...]``. Prints every place as ``file:line: name``, then the
share of bound names; exit code 1 where the share is above the ceiling. What lives for a single expression, in a
comprehension or a lambda, may be called anything.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("egobench", "tasks", "models", "leaderboard", "reference_exo2ego")
WORDS = frozenset({"asked", "each", "found", "given", "held", "one", "said", "shown", "taken", "told", "wanted"})
"""Names that say nothing of what a value is; ``docs/glossary.md`` has the words that do."""

ALSO = frozenset({
    "built", "chosen", "decoded", "described", "done", "drawn", "failed", "got", "judged", "kept", "known",
    "listed", "lost", "made", "marked", "named", "needed", "opened", "put", "ranked", "rendered", "scored", "seen",
    "used", "written",
})  # fmt: skip
"""More of the kind, which ``--also`` counts too: participles that want a noun (``judged_samples``)."""

SHORT_LIVED = (ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.ListComp, ast.SetComp)


class Binding(NamedTuple):
    """A place where a name is given to a value.

    Attributes:
        line: Line of the file, from 1.
        name: The name, without leading underscores.
    """

    line: int
    name: str


class Count(NamedTuple):
    """What the names of some files come to.

    Attributes:
        places: ``file:line: name`` of every name that says nothing.
        bound: Names bound in all.
    """

    places: list[str]
    bound: int

    @property
    def share(self) -> float:
        """Part of the bound names that say nothing, in [0, 1]."""
        return len(self.places) / max(self.bound, 1)


def bindings(node: ast.AST) -> Iterator[Binding]:
    """Yield every variable, field, parameter and attribute that a tree binds outside comprehensions and lambdas."""
    if isinstance(node, SHORT_LIVED):
        return
    names: list[str | None] = []
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            names = [name]
        case ast.arg(arg=name) | ast.ExceptHandler(name=name) | ast.alias(asname=name):
            names = [name]
        case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
            names = [name]
        case _:
            pass
    yield from (Binding(getattr(node, "lineno", 0), name.lstrip("_")) for name in names if name)
    for child in ast.iter_child_nodes(node):
        yield from bindings(child)


def count(paths: list[Path], words: frozenset[str]) -> Count:
    """Count the bound names of some files, and list those that are among some words.

    Args:
        paths: Python files.
        words: Names that say nothing.
    """
    places: list[str] = []
    bound = 0
    for path in paths:
        for binding in bindings(ast.parse(path.read_text(encoding="utf-8"), path.name)):
            bound += 1
            if binding.name in words:
                shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
                places.append(f"{shown}:{binding.line}: {binding.name}")
    return Count(places, bound)


def main(arguments: list[str]) -> int:
    """Print the places and the share of names that say nothing.

    Returns:
        0, or 1 where the share is above the ceiling.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ceiling", type=float, required=True, help="largest share that passes, in [0, 1]")
    parser.add_argument("--also", action="store_true", help="count more words of the kind")
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / folder for folder in FOLDERS])
    options = parser.parse_args(arguments)
    paths = sorted(path for folder in options.folders for path in folder.rglob("*.py"))
    counted = count(paths, WORDS | ALSO if options.also else WORDS)
    lines = [*counted.places, f"{len(counted.places)} of {counted.bound} bound names say nothing: {counted.share:.2%}"]
    if counted.share > options.ceiling:
        lines.append(f"more than {options.ceiling:.2%}: name each by what it is, e.g. prediction, entry, error_message")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(counted.share > options.ceiling)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
