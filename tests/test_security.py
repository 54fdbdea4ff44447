"""What SECURITY.md promises of the source: nothing that is read is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("egobench", "tasks", "models", "leaderboard", "reference_exo2ego")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def calls() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every call of a function by name: where it is, the dotted name, the keywords whose values are constants."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                keywords: dict[str, object] = {
                    keyword.arg: keyword.value.value
                    for keyword in node.keywords
                    if keyword.arg and isinstance(keyword.value, ast.Constant)
                }
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), keywords


CALLS = list(calls())


def without(names: tuple[str, ...], keyword: str, value: object) -> list[str]:
    """Calls whose name ends like one of the names, and that lack a keyword."""
    named = [(place, keywords) for place, name, keywords in CALLS if name.endswith(names)]
    assert named, names
    return [place for place, keywords in named if keywords.get(keyword, "absent") != value]


def test_code_that_comes_with_a_checkpoint_is_never_run() -> None:
    kinds = {name.rpartition(".")[0] for _, name, _ in CALLS if name.endswith(".from_pretrained")}
    automatic = tuple(f"{kind}.from_pretrained" for kind in kinds if kind.rpartition(".")[2].startswith("Auto"))
    assert without(automatic, "trust_remote_code", value=False) == []


def test_pickles_of_strangers_are_read_as_tensors_or_not_at_all() -> None:
    assert without(("torch.load",), "weights_only", value=True) == []
    assert without(("np.load",), "allow_pickle", value=False) == []
    assert (
        without(
            ("AutoModel.from_pretrained", "AutoModelForImageTextToText.from_pretrained"), "use_safetensors", value=True
        )
        == []
    )


def test_nothing_that_is_read_is_evaluated() -> None:
    names = {"eval", "exec", "pickle.load", "pickle.loads", "marshal.loads", "yaml.load", "os.system", "os.popen"}
    assert [place for place, name, _ in CALLS if name in names] == []
    assert [place for place, _, keywords in CALLS if keywords.get("shell")] == []
