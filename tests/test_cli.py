"""The command line as a person meets it: help, errors in one line, exit codes, JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

from egobench import request as request_module
from egobench.cli import app
from egobench.commands.models import model_rows, option_values
from egobench.commands.progress import ProgressObserver
from egobench.commands.run import print_run
from egobench.observer import SilentObserver
from egobench.request import RunRequest
from egobench.run.store import read_run
from tests.cli import egobench
from tests.conftest import Navigation

COMMANDS = [
    command.name or (command.callback.__name__ if command.callback else "").replace("_", "-")
    for command in app.registered_commands
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = egobench(command, "--help")
    assert done.returncode == 0
    assert re.search(rf"Example: .*egobench {command} ?", " ".join(done.stdout.split()))


def test_the_help_of_run_shows_what_is_hard_to_guess() -> None:
    help_text = " ".join(egobench("run", "--help").stdout.split())
    for options in ("--method auto", "--method likelihood-sum --text-prior 1", "--method auto --rerank runs/"):
        assert re.search(rf"Example: egobench run hf [^:]*{options}", help_text)


def test_eight_tasks_are_listed_with_what_they_need() -> None:
    rows = {row["name"]: row for row in json.loads(egobench("tasks", "--json").stdout)}
    assert {"egoschema", "qaego4d", "egotaskqa", "charades-ego"} <= rows.keys()
    assert {"epic-kitchens-mir", "egoplan", "vln-qa", "egomcq"} <= rows.keys()
    assert rows["egoschema"]["files"]
    assert rows["epic-kitchens-mir"]["videos"] == "{participant_id}/{video_id}.MP4"


def test_models_are_listed_with_the_types_of_their_options() -> None:
    rows = {row["name"]: row for row in json.loads(egobench("models", "--json").stdout)}
    assert rows["random"]["options"]["seed"] == {
        "type": "integer",
        "required": False,
        "default": 0,
        "about": "Another seed draws other options.",
    }
    hf = rows["hf"]["options"]
    assert {key for key, option in hf.items() if option["required"]} == {"checkpoint"}
    types = {"as_images": "auto | yes | no", "rope_fix": "yes | no", "frames": "integer"}
    assert {key: hf[key]["type"] for key in types} == types


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (Literal["crop", "pad", "squeeze"] | None, "crop | pad | squeeze"),
        (Literal["crop", None], "crop"),
        (Literal["auto"] | bool, "auto | yes | no"),
        (int | None, "integer"),
    ],
)
def test_values_of_an_option_are_named_however_its_type_is_put(hint: object, values: str) -> None:
    assert option_values(hint) == values


def test_the_ways_in_which_frames_fit_exo2ego_are_listed() -> None:
    (row,) = model_rows("exo2ego")
    assert row["options"]["fit"]["type"] == "crop | pad | squeeze"


def test_every_option_of_every_model_is_explained() -> None:
    for row in json.loads(egobench("models", "--json").stdout):
        unexplained = [key for key, option in row["options"].items() if not option["about"]]
        assert not unexplained, row["name"]


def test_the_options_of_one_model_are_shown_with_what_they_mean() -> None:
    listing = " ".join(egobench("models", "openai").stdout.split())
    assert "must be given" in listing
    assert "Most tries of one request." in listing
    assert "hf" not in listing


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "egoscheme", "--annotations", ".", "--out", "x"), 2, "did you mean 'egoschema'?"),
        (("build", "egoschema", "--annotations", ".", "--out", "x"), 1, "is this the annotation folder of the task?"),
        (("run", "random", "--data", "nowhere", "--out", "x"), 1, "run egobench build"),
        (("run", "random", "--data", "DATA", "--out", "x", "-o", "sed=1"), 2, "has no option 'sed'; its options are"),
        (("run", "random", "--data", "DATA", "--out", "x", "-o", "seed=one"), 2, "option 'seed'"),
        (("run", "hf", "--data", "DATA", "--out", "x"), 2, "needs -o checkpoint=..."),
        (("run", "random", "--data", "DATA", "--out", "x", "-o", "seed"), 2, "is not key=value"),
        (("score", "nowhere"), 1, "is no run folder"),
        (("new", "task", "My Task"), 2, "is no name for a task"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    arguments: tuple[str, ...], code: int, message: str, navigation: Navigation, tmp_path: Path
) -> None:
    done = egobench(*(str(navigation.data) if part == "DATA" else part for part in arguments), cwd=tmp_path)
    assert done.returncode == code
    assert message in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_traceback_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    assert "Traceback" in egobench("score", "nowhere", "--debug", cwd=tmp_path).stderr


def test_a_warning_is_one_line() -> None:
    code = "import warnings, egobench.cli as cli; cli.app = lambda *_, **__: warnings.warn('careful'); cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "warning: careful\n"


def test_official_files_become_a_score_in_three_commands(navigation: Navigation, tmp_path: Path) -> None:
    data, runs = tmp_path / "d", tmp_path / "r"
    built = egobench("build", "vln-qa", "--annotations", navigation.annotations, "--out", data, "--json")
    assert json.loads(built.stdout)[0]["n"] == 12
    arguments = ("run", "random", "-o", "frames=4", "--data", data, "--videos", navigation.videos, "--out", runs)
    ran = egobench(*arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    scores = json.loads(ran.stdout)
    assert scores["scores"]["vln-qa/all/mcq/official/acc/generate"]["n"] == 12
    path = Path(scores["run"])
    before = (path / "scores.json").read_bytes()
    assert egobench("score", path).returncode == 0
    assert (path / "scores.json").read_bytes() == before
    assert "12 of 12 were done before" in egobench(*arguments).stderr


def test_a_warning_is_told_once_and_counted_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressObserver() as observer:
        observer.begin("part", 5, 0)
        for problem in ("P01.mp4: no such video", "P02.mp4: no such video", *["P01.mp4: no such video"] * 3):
            observer.warn(problem)
    assert capsys.readouterr().err.splitlines() == [
        "warning: P01.mp4: no such video", "warning: P02.mp4: no such video", "warning: part: 3 more like these"
    ]  # fmt: skip


def test_progress_says_no_rate_until_something_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """A first batch that does not fit into memory advances by nothing."""
    with ProgressObserver(every=-1.0) as observer:
        observer.begin("part", 5, 1)
        observer.advance(0)
        observer.advance(4)
    before, first, last = capsys.readouterr().err.splitlines()
    assert (before, first) == ("part: 1 of 5 were done before", "part: 1 of 5")
    assert last.startswith("part: 5 of 5, ") and last.endswith("/s, 0 s left")


def test_who_stops_a_run_is_told_how_to_go_on(
    navigation: Navigation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(request_module, "evaluate_request", stopped)
    request = RunRequest(model="random", data=navigation.data, videos=navigation.videos, out=navigation.root / "r")
    with pytest.raises(KeyboardInterrupt):
        print_run(request, "table")
    assert capsys.readouterr().err == "stopped: what was answered is kept, and the same command goes on from there\n"


def test_a_run_whose_videos_are_missing_ends_with_one_and_says_why(navigation: Navigation, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    arguments = ("run", "random", "-o", "frames=4", "--data", navigation.data, "--videos", tmp_path / "none")
    done = egobench(*arguments, "--out", tmp_path / "r")
    assert done.returncode == 1
    assert "fewer than 99% of the samples got a reply" in done.stderr
    assert done.stderr.count("warning:") == 11  # ten of twelve, and a line that counts the rest
    assert egobench(*arguments, "--out", tmp_path / "r", "--min-coverage", "0").returncode == 0


def test_a_folder_of_videos_that_is_not_there_is_an_error_before_anything_is_asked(
    navigation: Navigation, tmp_path: Path
) -> None:
    arguments = ("run", "random", "--data", navigation.data, "--videos", tmp_path / "none", "--out", tmp_path / "r")
    done = egobench(*arguments, "-o", "frames=4")
    assert done.returncode == 1
    assert "no such folder of videos; expected --videos DIR, or --control blind" in done.stderr
    assert not (tmp_path / "r").exists()
    assert egobench(*arguments, "--control", "blind").returncode == 0


def test_a_dry_run_counts_and_writes_nothing(navigation: Navigation, tmp_path: Path) -> None:
    arguments = ("run", "random", "-o", "frames=4", "--data", navigation.data, "--videos", navigation.videos)
    done = egobench(*arguments, "--out", tmp_path / "r", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["samples"], row["clips"], row["files"], row["missing_files"]) == (12, 12, 12, 0)
    # 24 frames, groups of 12, targets at 0.25, 0.75, 1.25, 1.75 s = frames 3, 9, 15, 21: at least 4 a file, at most 24.
    assert 4 * 12 <= row["frames_to_decode"] <= 24 * 12
    assert not (tmp_path / "r").exists()


def test_several_tasks_may_share_one_folder_of_annotations(navigation: Navigation, tmp_path: Path) -> None:
    own = tmp_path / "all" / "vln-qa"
    own.parent.mkdir()
    navigation.annotations.rename(own)
    done = egobench("build", "vln-qa", "--annotations", own.parent, "--out", tmp_path / "d", "--json")
    assert json.loads(done.stdout)[0]["n"] == 12


def test_malformed_rows_end_a_build_or_are_left_out_and_noted(navigation: Navigation, tmp_path: Path) -> None:
    file = navigation.annotations / "egocentric_navigation.json"
    rows = json.loads(file.read_text())
    del rows[4]["question"]
    file.write_text(json.dumps(rows))
    arguments = ("build", "vln-qa", "--annotations", navigation.annotations, "--out", tmp_path / "d")
    done = egobench(*arguments)
    assert done.returncode == 1
    assert "egocentric_navigation.json, row 5, field 'question'" in done.stderr
    assert not (tmp_path / "d").exists()
    assert egobench(*arguments, "--skip-bad").returncode == 0
    manifest = json.loads((tmp_path / "d" / "vln-qa" / "official" / "manifest.json").read_text())
    assert manifest["n"] == 11
    assert manifest["dropped"] == [
        {
            "id": "egocentric_navigation.json, row 5",
            "reason": "field 'question': Field required; the row has video, candidates, answer",
        }
    ]


def test_a_file_of_options_may_hold_lists_texts_and_tables(navigation: Navigation, tmp_path: Path) -> None:
    config, arguments = tmp_path / "run.toml", ["run", "random", "--out", str(tmp_path / "r"), "--json", "--config"]
    common = f'data = "{navigation.data}"\nvideos = "{navigation.videos}"\ntasks = ["vln-qa"]\n'
    for own, n in (('option = "frames=2"', 12), ('option = ["frames=2"]\nlimit = 3', 3), ("[option]\nframes = 2", 12)):
        config.write_text(f"{common}{own}\n")
        done = CliRunner().invoke(app, [*arguments, str(config)])
        assert done.exit_code == 0, done.output
        (entry,) = json.loads(done.stdout)["scores"].values()
        assert entry["n"] == n


@pytest.mark.parametrize(
    "line", ['format = "json"', "json = true", "json = true\nmin_coverage = 0.5\nmin-coverage = 0.5"]
)
def test_keys_of_a_file_of_options_are_the_names_of_the_options(
    navigation: Navigation, tmp_path: Path, line: str
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f'model = "random"\ndata = "{navigation.data}"\nvideos = "{navigation.videos}"\n{line}\n')
    done = CliRunner().invoke(app, ["run", "--config", str(config), "--out", str(tmp_path / "r"), "-o", "frames=2"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["scores"]) == 1


@pytest.mark.parametrize("key", ["as_json", "form", "config", "o", "no-such"])
def test_a_key_that_is_no_option_is_answered_with_the_options_that_there_are(tmp_path: Path, key: str) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f"{key} = 1\n")
    done = CliRunner().invoke(app, ["run", "random", "--config", str(config)], terminal_width=1000)
    message = " ".join(done.output.replace("│", "").split())
    assert done.exit_code == 2
    assert f"no option '{key}'" in message
    assert {"format", "json", "min-coverage", "model", "option"} <= set(message.replace(",", "").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--top", "5"), "--top goes with --rerank"),
        (("-o", "seed=1", "-o", "seed=2"), "seed is '1' and '2'; give it once"),
        (("--device", "cpu", "-o", "device=cuda"), "device is 'cuda' and 'cpu'; give it once"),
        (("--tasks", ""), "names nothing"),
        (("--text-prior", "inf"), "is not a finite number"),
        (("--name", "x" * 201), "expected at most 200 printable characters"),
        (("--name", "two\nlines"), "expected at most 200 printable characters"),
    ],
)
def test_options_out_of_range_or_against_one_another_are_wrong_use(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["run", "random", "--data", str(tmp_path), "--out", str(tmp_path / "r"), *words])
    refusal = str(done.exception) if isinstance(done.exception, ValueError) else done.output
    assert done.exit_code != 0
    assert message in " ".join(refusal.replace("│", "").split())
    assert not (tmp_path / "r").exists()


def test_a_path_that_is_no_text_is_recorded_readably(navigation: Navigation, tmp_path: Path) -> None:
    request = RunRequest(model="first-choice", data=navigation.data, videos=navigation.videos, out=tmp_path / "r\udcff")
    result = request_module.evaluate_request(request, SilentObserver(), command=["egobench", "run", "r\udcff"])
    assert read_run(result.path).recorded["command"][-1] == "r\\udcff"
