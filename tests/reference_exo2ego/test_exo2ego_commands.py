"""The commands of ``exo2ego`` from the outside: help, tables, JSON, files, errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.errors import AnnotationFileError
from egobench.plugins import load_task
from reference_exo2ego.cli import main
from reference_exo2ego.data.samples import read_samples
from tests.conftest import NoEmbedder, write_video
from tests.reference_exo2ego.data import egoclip_table, egoit_files
from tests.reference_exo2ego.data.ego_exo4d_files import annotator_pass, description, take, write
from tests.scripted_server import chat, serving
from tests.tasks import official_files

COMMANDS = ("clips", "egoclip", "pairs", "instructions", "write-instructions", "leaks")


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def exo2ego(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["exo2ego", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def done(exo2ego: Command) -> Callable[..., str]:
    """What a command prints that must succeed."""

    def run(*arguments: str | Path) -> str:
        ended = exo2ego(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    return run


@pytest.fixture
def egoexo4d(tmp_path: Path) -> Path:
    """Two takes with videos of four seconds; a third lacks its exocentric cameras."""
    takes = [take(uid, duration=4.0) for uid in ("t1", "t2", "t3")]
    narrated = {
        row["take_uid"]: [annotator_pass(f"a-{row['take_uid']}", [description(1), description(2.5)])] for row in takes
    }
    folder = write(tmp_path / "egoexo4d", takes, narrated)
    for row in takes:
        views = folder / row["root_dir"] / "frame_aligned_videos"
        write_video(views / "aria01_214-1.mp4", (40, 40, 40), frames=48, fps=12)
        if row["take_uid"] != "t3":
            write_video(views / "cam01.mp4", (80, 80, 80), frames=48, fps=12)
            write_video(views / "cam02.mp4", (120, 120, 120), frames=12, fps=12)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, done: Callable[..., str]) -> None:
    assert f"Example: exo2ego {command}" in done(command, "--help")


def test_clips_are_written_with_a_report_figures_and_what_was_left_out(
    egoexo4d: Path, tmp_path: Path, done: Callable[..., str]
) -> None:
    out, figures = tmp_path / "clips.jsonl", tmp_path / "figures"
    printed = done("clips", "--egoexo4d", egoexo4d, "--out", out, "--plots", figures)
    assert "take whose videos cannot be used" in printed
    assert "2,925" in printed
    report = json.loads((tmp_path / "clips.jsonl.report.json").read_text(encoding="utf-8"))
    samples = list(read_samples(out))
    # cam02 lasts one second, so it shows neither the clip from 1.75 s on nor that from 0.5 s to the end of it alone.
    assert report["statistics"]["narrations"] == len(samples) == 4
    assert [len(sample.exo) for sample in samples] == [2, 1, 2, 1]
    assert report["left_out"]["video that cannot be used"]["count"] == 2
    assert report["left_out"]["view after the end of its video"]["count"] == 2
    assert report["videos_checked"]
    assert set(report["sources"]) == {
        "takes.json",
        "annotations/splits.json",
        "annotations/atomic_descriptions_train.json",
    }
    pictures = sorted(figures.iterdir())
    assert len(pictures) == 6
    assert all(ElementTree.parse(path).getroot().tag.endswith("svg") for path in pictures)  # noqa: S314 - our own


def test_clips_again_look_at_nothing_twice_and_write_the_same(
    egoexo4d: Path, tmp_path: Path, done: Callable[..., str]
) -> None:
    out = tmp_path / "clips.jsonl"
    arguments = ("clips", "--egoexo4d", egoexo4d, "--out", out, "--json")
    first = json.loads(done(*arguments))
    checks, content = (tmp_path / "clips.jsonl.checks.jsonl").read_bytes(), out.read_bytes()
    assert json.loads(done(*arguments)) == first
    assert out.read_bytes() == content
    # Files that are not there are asked for again: they may have come.
    lines = (tmp_path / "clips.jsonl.checks.jsonl").read_bytes().removeprefix(checks).splitlines()
    assert all(b"MissingVideoError" in line for line in lines)


def test_options_of_clips_reach_the_clips(egoexo4d: Path, tmp_path: Path, done: Callable[..., str]) -> None:
    (tmp_path / "late.csv").write_text("take_uid,camera,seconds\nt1,cam02,0.5\n")
    out = tmp_path / "clips.jsonl"
    options = ("--views", "best", "--wearer", "I", "--alpha", "3", "--no-check", "--offsets", tmp_path / "late.csv")
    report = json.loads(done("clips", "--egoexo4d", egoexo4d, "--out", out, *options, "--json"))
    samples = list(read_samples(out))
    # By hand: beta 1.5 s, alpha 3 s, half a width of a quarter of a second.
    assert (samples[0].start, samples[0].end, samples[0].turns[1]) == (0.75, 1.25, "I turns the wheel.")
    assert report["rule"]["views"] == "best"
    assert not report["videos_checked"]
    assert len(samples) == 6


def test_egoclip_and_pairs_are_counted_and_what_is_malformed_is_listed(
    tmp_path: Path, exo2ego: Command, done: Callable[..., str]
) -> None:
    table = egoclip_table.table(tmp_path, egoclip_table.FIRST, "1\tuid-a", egoclip_table.SECOND)
    failed = exo2ego("egoclip", table, "--out", tmp_path / "e.jsonl")
    assert failed.code == 1
    assert failed.err.splitlines()[-1].startswith(f"exo2ego: {table}, line 3: 2 cells where there are 11 columns")
    printed = done("egoclip", table, "--out", tmp_path / "e.jsonl", "--skip-bad")
    assert "2 samples (paper: 3,800,000)" in printed
    assert "left out: egoclip.csv, line 3" in printed
    (tmp_path / "p.csv").write_text("path,caption\na.mp4,A cup.\n")
    printed_json = json.loads(
        done("pairs", tmp_path / "p.csv", "--out", tmp_path / "p.json", "--view", "ego", "--json")
    )
    assert printed_json["samples"] == 1
    assert next(iter(read_samples(tmp_path / "p.json"))).facts["view"] == "ego"


def test_instructions_are_counted_beside_the_papers(tmp_path: Path, done: Callable[..., str]) -> None:
    folder = egoit_files.write_all(tmp_path / "egoit")
    printed = done("instructions", folder, "--out", tmp_path / "egoit.json")
    rows = {line.split("│")[1].strip(): line.split("│") for line in printed.splitlines() if line.startswith("│")}
    assert [cell.strip() for cell in rows["egotimeqa"][2:4]] == ["40", "303,000"]
    assert [cell.strip() for cell in rows["all"][2:4]] == ["47", "585,600"]
    assert len(list(read_samples(tmp_path / "egoit.json"))) == 47
    some = json.loads(done("instructions", folder, "--sources", "open-eqa", "--out", tmp_path / "o.json", "--json"))
    assert [(count["source"], count["samples"]) for count in some] == [("open-eqa", 2)]


def test_a_model_writes_instructions_which_are_then_used(tmp_path: Path, done: Callable[..., str]) -> None:
    wording = tmp_path / "wording.json"
    texts = [f"Look at room {number}." for number in range(10)]
    with serving(lambda _: chat(json.dumps(texts))) as server:
        printed = done("write-instructions", "open-eqa", "--url", server.url, "--model", "any", "--out", wording)
    assert printed.splitlines() == texts
    folder = egoit_files.write_all(tmp_path / "egoit")
    done("instructions", folder, "--wording", wording, "--out", tmp_path / "o.jsonl")
    samples = list(read_samples(tmp_path / "o.jsonl"))
    assert all((sample.facts["instruction"] in texts) == (sample.source == "open-eqa") for sample in samples)


def test_a_leak_ends_with_one_unless_it_is_allowed_by_name(
    tmp_path: Path, exo2ego: Command, done: Callable[..., str]
) -> None:
    annotations = official_files.write(tmp_path / "annotations", official_files.qaego4d())
    build(load_task("qaego4d"), Annotations(annotations), NoEmbedder()).write(tmp_path / "data")
    files = egoit_files.egotimeqa()
    for row in next(iter(files.values())):
        row["video_id"] = "abcdef00"
    folder = egoit_files.write(tmp_path / "egoit" / "egotimeqa", files).parent
    done("instructions", folder, "--out", tmp_path / "train.jsonl")
    failed = exo2ego("leaks", tmp_path / "train.jsonl", "--data", tmp_path / "data")
    assert failed.code == 1
    assert "overlaps footage that is trained on" in " ".join(failed.err.split())
    assert failed.err.splitlines()[-1].startswith("exo2ego: the training data shows footage of samples")
    allowed = done("leaks", tmp_path / "train.jsonl", "--data", tmp_path / "data", "--allow", "qaego4d", "--json")
    assert [row["leaks"] for row in json.loads(allowed)] == [True]
    done("egoclip", egoclip_table.table(tmp_path, egoclip_table.FIRST), "--out", tmp_path / "e.jsonl")
    assert json.loads(done("leaks", tmp_path / "e.jsonl", "--data", tmp_path / "data", "--json"))[0]["overlapping"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("clips", "--egoexo4d", "none", "--out", "a.jsonl"), 1, "takes.json: no such file"),
        (("clips", "--egoexo4d", "none", "--out", "a.txt"), 2, "ends in .json or .jsonl"),
        (("clips", "--egoexo4d", "none", "--out", "a.jsonl", "--alpha", "0"), 2, "expected a number above 0"),
        (("egoclip", "none.csv", "--out", "a.jsonl"), 1, "none.csv: no such file"),
        (("pairs", "none.parquet", "--out", "a.jsonl"), 2, "expected a file .csv"),
        (("leaks", "none.jsonl", "--data", "none"), 1, "run egobench build"),
        (("write-instructions", "egtea", "--url", "x", "--model", "m", "--out", "w.json"), 2, "is no web address"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
    exo2ego: Command,
) -> None:
    monkeypatch.chdir(tmp_path)
    process = exo2ego(*arguments)
    assert process.code == code
    assert process.err.splitlines()[-1].startswith("exo2ego: ")
    assert message in process.err.splitlines()[-1]
    assert "Traceback" not in process.err
    assert not list(tmp_path.iterdir())


def test_an_error_keeps_its_traceback_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["exo2ego", "egoclip", "none.csv", "--out", "a.jsonl", "--debug"])
    with pytest.raises(AnnotationFileError, match=r"none\.csv: no such file"):
        main()


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['exo2ego', '--help']\nfrom reference_exo2ego.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'av', 'ijson', 'numpy', 'pydantic', 'torch', 'webdataset'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "set()"
