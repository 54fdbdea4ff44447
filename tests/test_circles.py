"""No module imports, by whatever way round, a module that imports it: not even inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "egobench": "egobench",
    "tasks": "egobench.tasks",
    "models": "egobench.models",
    "leaderboard": "egobench.leaderboard",
    "reference_exo2ego": "reference_exo2ego",
}
"""Folders of the checkout, and what each is imported as."""


def dotted(path: Path) -> str:
    """The name that a source file is imported by."""
    folder, *parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([PACKAGES[folder], *parts]).removesuffix(".__init__")


def imports(tree: ast.AST, package: str, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules that a file imports at run time.

    Args:
        tree: The file's syntax tree.
        package: The package that its relative imports start from.
        modules: All modules by name.
    """
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=branches):
                for branch in branches:
                    yield from imports(branch, package, modules)
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in modules)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                base = ".".join([*above, *([module] if module else [])])
                members = {f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in names}
                yield from members & modules.keys()
            case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield from {name} & modules.keys()
            case _:
                yield from imports(node, package, modules)


def import_graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which modules each module imports."""
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        graph[name] = set(imports(ast.parse(path.read_text(encoding="utf-8")), package, modules))
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of imports, its first module again at its end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


MODULES = {dotted(path): path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py")}


def test_no_two_modules_import_each_other() -> None:
    assert circle(import_graph(MODULES)) == []


def test_relative_and_late_imports_count_and_those_for_types_do_not() -> None:
    names = (
        "egobench.models.hf",
        "egobench.models.hf.chat",
        "egobench.models.hf.rope",
        "egobench.model",
        "egobench.sample",
    )
    modules: dict[str, Path] = {name: Path() for name in names}
    source = """
from __future__ import annotations
from typing import TYPE_CHECKING
from . import chat
def later():
    from .rope import turn
    import_module("egobench.model").Model
if TYPE_CHECKING:
    from egobench.sample import Sample
"""
    imported = set(imports(ast.parse(source), "egobench.models.hf", modules))
    assert imported == {"egobench.models.hf.chat", "egobench.models.hf.rope", "egobench.model"}


def test_a_circle_is_given_with_every_module_in_it() -> None:
    assert len(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == 4
