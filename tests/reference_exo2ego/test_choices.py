"""The page of choices says what the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.errors import ConfigurationError
from reference_exo2ego.model.choices import BEGIN, END, choices, page_part, write_page
from reference_exo2ego.model.stages import STAGE_NAMES

PAGE = Path(__file__).parents[2] / "docs" / "exo2ego_choices.md"


def test_the_page_is_the_configurations(tmp_path: Path) -> None:
    # Out of date? python -c "from pathlib import Path; from reference_exo2ego.model.choices import write_page;
    # write_page(Path('docs/exo2ego_choices.md'))"
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())
    write_page(copy)
    assert copy.read_text() == PAGE.read_text()


def test_every_gap_is_a_switch_with_default_alternatives_and_reason() -> None:
    listed = {choice.name: choice for choice in choices()}
    for name, default, others in (
        ("place", "before_connector", "`after_connector`"),
        ("fuse", "token", "`channel`, `sum`"),
        ("connector", "shared", "`per_view`"),
        ("delimiters", "off", "`on`"),
        ("kl", "categorical", "`gaussian`, `output`, `off`"),
        ("ccl", "both", "`forward`, `none`"),
        ("mapping.kind", "resnet9", "`fc`"),
        ("mapping.residual", "false", "`true`"),
        ("weights.ccl", "1.0", "a number above 0"),
        ("train.connector", "init, stage1", "any list of stages in which it is read"),
    ):
        assert (listed[name].default, listed[name].others) == (default, others)
    assert all(choice.reason for choice in listed.values())
    assert all(name in page_part() for name in STAGE_NAMES)


def test_a_page_without_a_place_is_a_clear_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{END}\n")
    with pytest.raises(ConfigurationError, match=r"page\.md: no place for the choices; expected the lines"):
        write_page(page)
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page)
    assert page.read_text().startswith(f"before\n{BEGIN}\n\n## What trains when")
    assert page.read_text().endswith(f"\n\n{END}\nafter\n")
    assert "old" not in page.read_text().split()
