"""The folder of an ablation: whose it is, and waiting in it that ends when it is asked to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from egobench.errors import ResumeError, StoreError
from egobench.observer import SilentObserver
from reference_exo2ego.training.ablation import locking
from reference_exo2ego.training.ablation.chains import Step
from reference_exo2ego.training.ablation.costs import Costs
from reference_exo2ego.training.ablation.locking import Stopped, locked
from reference_exo2ego.training.ablation.page import BEGIN, END, split_page
from reference_exo2ego.training.ablation.workspace import ABOUT, check_about
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data


def test_another_ablation_is_refused_by_what_differs(tmp_path: Path) -> None:
    check_about(tmp_path / "out", {"limit": 3}, begin=False)
    assert not (tmp_path / "out").exists()
    check_about(tmp_path / "out", {"limit": 3}, begin=True)
    check_about(tmp_path / "out", {"limit": 3}, begin=True)
    with pytest.raises(ResumeError, match="holds another ablation \\(limit 3 there, 4 here\\)"):
        check_about(tmp_path / "out", {"limit": 4}, begin=True)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "[" * 5000, "\\ud800"])
def test_a_damaged_folder_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / ABOUT).write_text(content)
    with pytest.raises(ResumeError, match=r"ablation\.json: damaged"):
        check_about(tmp_path, {}, begin=True)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ResumeError, match=r"cannot be written .*; name another with --out"):
        check_about(tmp_path / "out", {}, begin=True)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("content", ["{", "[]", '{"a": {"seconds": 1}}', '{"a": {"of another release": 1}}'])
def test_damaged_costs_are_named_and_never_measured_again(tmp_path: Path, content: str) -> None:
    """What variants cost alike depends on them: other numbers would be another ablation."""
    (tmp_path / "costs.json").write_text(content)
    costs = Costs(tmp_path / "costs.json", tmp_path, None, SilentObserver())
    with pytest.raises(ResumeError, match=r"costs\.json: damaged"):
        costs.of(Step(tiny_recipe(), "stage1"))
    assert (tmp_path / "costs.json").read_text() == content


def test_processes_of_an_ablation_go_by_one_measurement(tmp_path: Path) -> None:
    """Whichever seed it has, and however long one that measured something else has been there."""
    data = write_data(tmp_path / "data", takes=2)
    first, second = (Costs(tmp_path / "costs.json", data, None, SilentObserver()) for _ in range(2))
    second.of(Step(tiny_recipe(), "stage3"))
    measured = first.of(Step(tiny_recipe(), "stage1"))
    assert second.of(Step(tiny_recipe(seed=1), "stage1")) == measured
    assert len(json.loads((tmp_path / "costs.json").read_text())) == 2


def test_who_waits_for_another_process_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "POLL_SECONDS", 0.01)
    looks = iter([False, False, True])
    with (
        locked(tmp_path / "locks" / "part.lock", SilentObserver(), lambda: False),
        pytest.raises(Stopped),
        locked(tmp_path / "locks" / "part.lock", SilentObserver(), lambda: next(looks)),
    ):
        pass
    with locked(tmp_path / "locks" / "part.lock", SilentObserver(), lambda: True):
        assert next(looks, "looked at three times") == "looked at three times"


def test_a_page_without_a_place_for_results_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    with pytest.raises(StoreError, match=r"page\.md: cannot be read"):
        split_page(page)
    page.write_text(f"before {END} after")
    with pytest.raises(StoreError, match=r"page\.md: no place for results"):
        split_page(page)
    page.write_text(f"before {BEGIN} old {END} after")
    assert split_page(page) == ("before ", " after")
