"""The site as files: complete, the same bytes again, nothing of somebody else's overwritten."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egobench.cli import app
from egobench.errors import BundleError, SampleSetError, SiteError, StoreError
from egobench.evaluate import evaluate
from egobench.leaderboard.site.build import new_site
from egobench.leaderboard.site.comparison_data import script_json
from egobench.leaderboard.site.plots import RadarAxis, radar, scatter
from egobench.leaderboard.site.points import Floors, Point
from egobench.leaderboard.site.publish import publish
from egobench.leaderboard.site.row_charts import OverviewRow, overview, whiskers
from egobench.observer import SilentObserver
from egobench.plugins import load_model
from tests.conftest import Navigation
from tests.leaderboard.submissions import Encoder, World, guesser


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def runs(navigation: Navigation) -> Path:
    """Two runs of built-in models."""
    for model in (load_model("random"), load_model("first-choice")):
        recorded = {"data": str(navigation.data)}
        evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", recorded=recorded)
    return navigation.root / "runs"


def test_a_second_build_has_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    publish([runs], tmp_path / "site", samples="all")
    first = digests(tmp_path / "site")
    publish([runs], tmp_path / "site", samples="all")
    publish([runs], tmp_path / "other", samples="all")
    assert digests(tmp_path / "site") == first == digests(tmp_path / "other")
    assert {"index.html", "compare.html", "method.html", "ledger.html", "task/vln-qa.html", "samples/index.html",
            "data/board.json", "data/board.csv"} <= set(first)  # fmt: skip


def test_galleries_and_film_strips_have_the_same_bytes_again(world: World, tmp_path: Path) -> None:
    """As the demo's site: several models over several tasks, every sample, and here the pictures too."""
    paths = [
        world.run(guesser(), "vln-qa", "egoplan"),
        world.run(guesser(), "vln-qa", method="likelihood-sum"),
        world.run(Encoder(), "epic-kitchens-mir"),
    ]
    builds: list[dict[str, str]] = []
    for order, out in ((paths, "site"), (paths, "site"), (paths[::-1], "other")):
        publish(order, tmp_path / out, data=world.data, samples="all", videos=world.videos)
        builds.append(digests(tmp_path / out))
    assert builds[0] == builds[1] == builds[2]
    assert {"task/epic-kitchens-mir.html", "task/vln-qa.html", "samples/index.html", "data/compare.js"} <= set(
        builds[0]
    )
    page = (tmp_path / "site" / "task" / "epic-kitchens-mir.html").read_text(encoding="utf-8")
    assert "No rank sets" not in page
    assert sum(name.endswith(".jpg") for name in builds[0]) > 10


def test_links_within_the_site_lead_somewhere(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site", samples="all").parent
    for page in site.rglob("*.html"):
        for target in re.findall(r'(?:href|src)="(?!https:)([^"#]+)', page.read_text(encoding="utf-8")):
            assert (page.name, target, (page.parent / target).is_file()) == (page.name, target, True)


def test_pages_name_nobody_elses_address_but_in_plain_links(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site", samples="all").parent
    for path in [*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.js")]:
        content = path.read_text(encoding="utf-8")
        loaded = re.findall(r'(?:src|<link[^>]*href)="?(https?:[^">]*)|@import|url\(', content)
        assert (path.name, loaded) == (path.name, [])
        assert "style=" not in content or path.suffix != ".html"


def test_machines_get_every_number_of_every_run(runs: Path, tmp_path: Path) -> None:
    """By hand: two runs of one number; first-choice is right on three of twelve."""
    site = publish([runs], tmp_path / "site").parent
    rows = json.loads((site / "data" / "board.json").read_bytes())
    assert {(row["model"], row["id"], row["n"]) for row in rows} == {
        (model, "vln-qa/all/mcq/official/acc", 12) for model in ("first-choice", "random")
    }
    (row,) = (row for row in rows if row["model"] == "first-choice")
    assert (row["value"], row["chance"], row["level"]) == (0.25, 0.25, "re-scored")
    assert (site / "data" / "board.csv").read_text(encoding="utf-8").count("\n") == 3


def test_a_folder_of_something_else_is_left_alone(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(SiteError, match="holds something else than a board"):
        publish([runs], tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_site_stays_as_it_was_where_the_next_one_cannot_be_finished(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site", samples="all").parent
    (site / "CNAME").write_text("board.example")
    before = digests(site)
    with pytest.raises(SampleSetError):
        publish([runs], site, samples="all", data=tmp_path / "elsewhere")
    assert digests(site) == before
    publish([runs], site)
    assert not (site / "samples").exists()
    assert (site / "CNAME").is_file()


def test_a_viewer_does_not_take_the_place_of_a_board_nor_a_board_that_of_a_viewer(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site").parent
    before = digests(site)
    (run,) = sorted((runs / "random").iterdir())
    refused = CliRunner().invoke(app, ["view", str(run), "--out", str(site)])
    assert "holds a board, and this would be a viewer" in str(refused.exception)
    assert digests(site) == before
    with new_site(tmp_path / "viewer", "viewer", ()):
        pass
    with pytest.raises(SiteError, match="holds a viewer, and this would be a board"):
        publish([runs], tmp_path / "viewer")


def test_two_processes_do_not_write_one_site(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site").parent
    before = digests(site)
    with new_site(site, "board", ()), pytest.raises(SiteError, match="another process writes a site there"):
        publish([runs], site, samples="all")
    assert digests(site) == before


def test_what_a_killed_build_left_is_no_part_of_the_next(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site").parent
    before = digests(site)
    (site / ".partial" / "data").mkdir(parents=True)
    (site / ".partial" / "data" / "half.js").write_text("half")
    publish([runs], site)
    assert digests(site) == before


def test_a_link_in_the_place_of_a_folder_is_not_followed(runs: Path, tmp_path: Path) -> None:
    site = publish([runs], tmp_path / "site").parent
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    (site / "samples").symlink_to(tmp_path / "mine")
    publish([runs], site, samples="all")
    assert not (site / "samples").is_symlink()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


class Notes(SilentObserver):
    """Keeps warnings."""

    __slots__ = ("warnings",)

    def __init__(self) -> None:
        object.__setattr__(self, "warnings", [])

    def warn(self, message: str) -> None:
        self.warnings.append(message)  # type: ignore[attr-defined]


def test_damaged_runs_are_left_out_and_named(runs: Path, tmp_path: Path) -> None:
    notes = Notes()
    (next(runs.glob("random/*")) / "scores.json").write_text("{")
    publish([runs], tmp_path / "site", observer=notes)
    assert len(list((tmp_path / "site" / "model").iterdir())) == 1
    assert "scores.json is damaged" in notes.warnings[0]  # type: ignore[attr-defined]
    for path in runs.rglob("scores.json"):
        path.write_text("{")
    with pytest.raises(StoreError, match="no run that can be shown"):
        publish([runs], tmp_path / "site")


def test_a_file_that_is_no_bundle_costs_no_other_run_its_place(runs: Path, tmp_path: Path) -> None:
    notes = Notes()
    (runs / "photos.zip").write_bytes(b"none")
    publish([runs], tmp_path / "site", observer=notes)
    assert len(list((tmp_path / "site" / "model").iterdir())) == 2
    assert "photos.zip: no bundle, or a damaged one" in notes.warnings[0]  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match=r"photos\.zip: no bundle"):
        publish([runs, runs / "photos.zip"], tmp_path / "site")


def test_commands_say_which_page_to_open(runs: Path, tmp_path: Path) -> None:
    for command, out in ((["leaderboard", "build", str(runs)], "site"), (["view", str(runs)], "view")):
        result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / out)])
        assert (result.exit_code, result.exception) == (0, None)
        assert f"open {tmp_path / out / 'index.html'}" in result.output
        assert (tmp_path / out / "index.html").is_file()


def test_a_chart_is_cut_where_no_name_reaches() -> None:
    """By hand: 236 units for names, of which ten letters take 8 each and 20 stay free, so 136 are cut off 912."""
    points = [Point("ten letter", 0.5)]
    assert 'viewBox="136 0 776 ' in whiskers("t", points, Floors(), longest=10)
    assert 'viewBox="0 0 912 ' in whiskers("t", points, Floors(), longest=40)


def test_json_in_scripts_ends_no_script_and_hides_no_character() -> None:
    text = script_json({"a": "</script>\u2028\u202e\x00"})
    assert text == '{"a":"\\u003c/script>\\u2028\\\\u202e\\\\x00"}'


def test_chance_and_both_blind_figures_are_in_every_chart() -> None:
    """Where they stand: 560 units from 236 on are the range from 0 to 100."""
    floors, points = Floors(0.25, 0.5, 0.75), [Point("a", 0.5, 0.4, 0.6, x=8), Point("b", 0.7, x=16)]
    charts = {
        "whiskers": whiskers("t", points, floors),
        "overview": overview([OverviewRow("t", points, floors)], "t"),
        "scatter": scatter("t", points, floors, x_name="frames per clip", logarithmic=False),
        "radar": radar("t", [RadarAxis(name, 0.5, floors) for name in "xyz"]),
    }
    for name, chart in charts.items():
        kinds = [kind for kind in ("chance", "blind", "trained") if re.search(rf'class="(ring )?{kind}"', chart)]
        assert (name, kinds) == (name, ["chance", "blind", "trained"])
    assert 'x1="376.0"' in charts["whiskers"]
    assert 'cx="516.0"' in charts["whiskers"]


def test_names_in_charts_are_text() -> None:
    chart = whiskers("t", [Point("<b>&\u202e", 0.5)], Floors())
    assert "&lt;b&gt;&amp;\\u202e" in chart
