"""Names of plugins: each is the name of one, whoever it is from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from egobench.errors import BrokenPluginError
from egobench.plugins import MODELS, TASKS, load_model, load_task, names

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one entry point: ``install(package, group, "name = module:attribute")``."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package: str, group: str, entry: str) -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        module = entry.partition("= ")[2].partition(":")[0]
        (tmp_path / f"{module}.py").write_text(
            "from egobench.plugins import load_task\nTASK = load_task('vln-qa')\n"
            "def load():\n    from egobench.plugins import load_model\n    return load_model('random')\n"
        )

    return put


def test_a_plugin_of_another_package_is_loaded_by_its_name(install: Install) -> None:
    install("pantry", TASKS, "pantry = pantry_task:TASK")
    assert load_task("pantry").name == "vln-qa"
    assert "pantry" in names(TASKS)


@pytest.mark.parametrize("name", ["egoplan", "charades-ego", "charades_ego"])
def test_a_plugin_with_the_name_of_a_built_in_one_is_an_error_that_names_both(install: Install, name: str) -> None:
    install("mine", TASKS, f"{name} = mine_task:TASK")
    own = f"egobench.tasks.{name.replace('-', '_')}"
    with pytest.raises(
        BrokenPluginError, match=rf"own {own} and mine_task:TASK of package mine; uninstall all but one"
    ):
        load_task(name)
    assert load_task("vln-qa").name == "vln-qa"


def test_two_plugins_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("first", MODELS, "cat = first_model:load")
    install("second", MODELS, "cat = second_model:load")
    with pytest.raises(BrokenPluginError) as caught:
        load_model("cat")
    for place in ("first_model:load of package first", "second_model:load of package second"):
        assert place in str(caught.value)


def test_one_plugin_that_is_seen_twice_is_one(install: Install) -> None:
    install("first", MODELS, "cat = cat_model:load")
    install("first_again", MODELS, "cat = cat_model:load")
    assert load_model("cat").info.name == "random"
