"""A training that is interrupted and resumed ends with the very weights of one that is not."""

from __future__ import annotations

import json
import os
import random
import signal
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from egobench.errors import CheckpointError, ModelError, ResumeError, StageError  # noqa: E402
from egobench.observer import SilentObserver  # noqa: E402
from reference_exo2ego.training.beginning import begin  # noqa: E402
from reference_exo2ego.training.checkpoint import (  # noqa: E402
    Position,
    check_fit,
    checkpoints,
    latest_checkpoint,
    read_position,
    write_checkpoint,
)
from reference_exo2ego.training.files import PARTIAL  # noqa: E402
from reference_exo2ego.training.loop import LoopSettings  # noqa: E402
from reference_exo2ego.training.processes import Processes  # noqa: E402
from reference_exo2ego.training.recipe import load_recipe, override  # noqa: E402
from reference_exo2ego.training.run import Training, own_folder  # noqa: E402
from reference_exo2ego.training.run_file import check_beginning, check_data, check_recipe, read_run  # noqa: E402
from reference_exo2ego.training.zero import read_zero  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data  # noqa: E402

QUIET = LoopSettings(workers=0, save_every=0, log_every=100)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def training(folder: Path, data: Path, **changes: Any) -> Training:
    recipe = changes.pop("recipe", None) or tiny_recipe()
    return Training(recipe=recipe, folder=folder, data=data, settings=QUIET, **changes)


def run(training: Training) -> bool:
    with own_folder(training):
        return training.run()


def weights(folder: Path) -> dict[str, Any]:
    from reference_exo2ego.model.checkpoint import load

    return dict(load(folder).state_dict())


@pytest.mark.slow
def test_ten_random_interruptions_change_no_bit(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("stage2", "stage3"), steps=16)
    assert run(training(tmp_path / "whole", data, recipe=recipe))
    drawn, interruptions = random.Random(5), 0
    while not run(
        replace(
            training(tmp_path / "parts", data, recipe=recipe), settings=replace(QUIET, stop_after=drawn.randint(1, 4))
        )
    ):
        interruptions += 1
    assert interruptions >= 10
    for stage in ("stage2", "stage3"):
        whole, parts = (weights(tmp_path / folder / stage / "model") for folder in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())


def test_threads_that_read_ahead_change_no_bit(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("init",), steps=4)
    for name, workers in (("here", 0), ("ahead", 3)):
        run(replace(training(tmp_path / name, data, recipe=recipe), settings=replace(QUIET, workers=workers)))
    here, ahead = (weights(tmp_path / name / "init" / "model") for name in ("here", "ahead"))
    assert all(torch.equal(tensor, ahead[name]) for name, tensor in here.items())


def small_checkpoint(
    folder: Path,
    step: int,
    write: Callable[[Path], None] | None = None,
    *,
    keep: int = 2,
    engine: str = "torch",
) -> Path:
    def write_state(partial: Path) -> None:
        (partial / "state").write_bytes(b"x" * step)

    return write_checkpoint(
        folder,
        Position(step, 10, engine, 1),
        write or write_state,
        Processes(),
        keep=keep,
    )


def test_a_process_killed_during_a_checkpoint_leaves_the_one_before(tmp_path: Path) -> None:
    before = small_checkpoint(tmp_path, 1)
    child = os.fork()
    if child == 0:

        def die(partial: Path) -> None:
            (partial / "state.pt").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

        small_checkpoint(tmp_path, 2, die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (tmp_path / PARTIAL).is_dir()
    assert latest_checkpoint(tmp_path, SilentObserver()) == before
    assert read_position(small_checkpoint(tmp_path, 2)).step == 2
    assert not (tmp_path / PARTIAL).exists()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of at most a kilobyte, as if the disk were full then."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    before = small_checkpoint(tmp_path, 1)
    with pytest.raises(CheckpointError, match="is there room"):
        small_checkpoint(tmp_path, 2, lambda partial: torch.save(torch.zeros(5000), partial / "state.pt"))
    assert checkpoints(tmp_path) == [before]
    assert latest_checkpoint(tmp_path, SilentObserver()) == before


def test_old_checkpoints_go(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        small_checkpoint(tmp_path, step, keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000003", "step-000004"]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    before, after = small_checkpoint(tmp_path, 1), small_checkpoint(tmp_path, 2)
    (after / "state").write_bytes(b"")
    assert latest_checkpoint(tmp_path, SilentObserver()) == before


def test_a_checkpoint_with_an_altered_weight_is_passed_over(tmp_path: Path) -> None:
    def write(partial: Path) -> None:
        torch.save({"weights": torch.arange(1000.0)}, partial / "state.pt")

    before, after = small_checkpoint(tmp_path, 1, write), small_checkpoint(tmp_path, 2, write)
    assert latest_checkpoint(tmp_path, SilentObserver()) == after
    content = (after / "state.pt").read_bytes()
    place = content.index(np.arange(1000.0, dtype=np.float32).tobytes())
    (after / "state.pt").write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    # Torch reads the other weight without a word.
    assert torch.load(after / "state.pt", weights_only=True)["weights"][0] != 0
    assert latest_checkpoint(tmp_path, SilentObserver()) == before


def test_a_checkpoint_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    """It says besides how long its steps took, and its checksum is over that too."""
    checkpoint = small_checkpoint(tmp_path, 1)
    values = json.loads((checkpoint / "position.json").read_text())
    values = {name: value for name, value in values.items() if name != "crc32"} | {"seconds": 1.5}
    for checksum in ({"crc32": zlib.crc32(json.dumps(values, sort_keys=True).encode())}, {}):
        (checkpoint / "position.json").write_text(json.dumps(values | checksum))
        assert read_position(checkpoint) == Position(1, 10, "torch", 1, files={"state": 1})
    (checkpoint / "position.json").write_text(json.dumps(values | {"crc32": 3}))
    with pytest.raises(ResumeError, match="not as it was written"):
        read_position(checkpoint)


@pytest.mark.parametrize(
    ("written", "altered", "reason"),
    [
        ('"steps": ', '"steps": 1', "not as it was written"),
        ('"step": 2', '"step": 3', "not as it was written"),
        ('"clips": 0', '"clips": "0"', "clips: Input should be a valid integer"),
        ('"clips": 0', '"clips": 0, "more": 1', "more: Unexpected keyword argument"),
        ("{", "[", "cannot be read"),
        ("{", "[" * 5000 + "{", "cannot be read"),
    ],
)
def test_a_checkpoint_with_an_altered_position_is_passed_over(
    tmp_path: Path, written: str, altered: str, reason: str
) -> None:
    before, after = small_checkpoint(tmp_path, 1), small_checkpoint(tmp_path, 2)
    position = after / "position.json"
    position.write_text(position.read_text().replace(written, altered, 1))
    with pytest.raises(ResumeError, match=reason):
        read_position(after)
    assert latest_checkpoint(tmp_path, SilentObserver()) == before


def test_a_checksum_that_is_no_number_is_none_of_ours(tmp_path: Path) -> None:
    position = small_checkpoint(tmp_path, 1) / "position.json"
    position.write_text(json.dumps(json.loads(position.read_text()) | {"crc32": {"a": 1}}))
    with pytest.raises(ResumeError, match="not as it was written"):
        read_position(position.parent)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "3",
        '{"format": 1}',
        "[" * 5000,
        '{"format": 2}',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin1"),
    ],
)
def test_a_folder_whose_run_file_is_none_is_refused(tmp_path: Path, data: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="latin1")
    with pytest.raises(ResumeError, match=r"run\.json: "), own_folder(training(tmp_path, data)):
        pass


def test_another_recipe_in_the_folder_is_refused_by_what_differs(tmp_path: Path, data: Path) -> None:
    run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=1)))
    with pytest.raises(ResumeError, match=r"stage1.rate is 0.001 there and 0.5 here"):
        run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=1, rate=0.5)))
    # How a batch is cut changes nothing that is learnt.
    assert run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=1, micro=4)))


def test_what_only_this_recipe_or_only_the_other_has_is_named(tmp_path: Path, data: Path) -> None:
    run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=1, rates={"exo_encoder": 1e-3})))
    with pytest.raises(ResumeError, match=r"stage1.rates.exo_encoder is 0.001 there and None here"):
        run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=1)))


def test_a_training_goes_on_where_more_clips_may_be_unreadable(tmp_path: Path, data: Path) -> None:
    """As the message says that ends one for unreadable clips."""
    stopped = training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=3))
    assert not run(replace(stopped, settings=replace(QUIET, stop_after=1)))
    patient = tiny_recipe(("stage1",), steps=3, unreadable=0.5)
    assert run(training(tmp_path / "run", data, recipe=patient))
    assert read_run(tmp_path / "run")["recipe"]["stages"][0]["unreadable"] == 0.5


@pytest.mark.parametrize(
    ("wrote", "goes_on", "option"),
    [
        ("deepspeed, ZeRO-2", "deepspeed, ZeRO-3", "--deepspeed 2"),
        ("deepspeed, ZeRO-0", "torch", "--deepspeed 0"),
        ("torch", "deepspeed, ZeRO-1", "--engine torch"),
    ],
)
def test_a_checkpoint_of_another_engine_is_refused_by_name(
    tmp_path: Path, wrote: str, goes_on: str, option: str
) -> None:
    checkpoint = small_checkpoint(tmp_path, 1, engine=wrote)
    with pytest.raises(ResumeError, match=rf"written by the engine '{wrote}', and '{goes_on}' cannot .*{option}"):
        check_fit(checkpoint, steps=10, engine=goes_on, processes=1)
    check_fit(checkpoint, steps=10, engine=wrote, processes=1)


def test_another_number_of_processes_is_refused_with_zero_3_alone(tmp_path: Path) -> None:
    checkpoint = small_checkpoint(tmp_path, 1, engine="deepspeed, ZeRO-3")
    with pytest.raises(ResumeError, match="written by 1 processes with ZeRO-3, here 2, which cannot"):
        check_fit(checkpoint, steps=10, engine="deepspeed, ZeRO-3", processes=2)
    check_fit(
        small_checkpoint(tmp_path, 2, engine="deepspeed, ZeRO-2"), steps=10, engine="deepspeed, ZeRO-2", processes=2
    )


def test_deepspeed_does_not_begin_to_go_on_from_what_torch_wrote(tmp_path: Path, data: Path) -> None:
    stopped = training(tmp_path / "run", data, recipe=tiny_recipe(("stage1",), steps=4))
    assert not run(replace(stopped, settings=replace(QUIET, stop_after=1)))
    with pytest.raises(ResumeError, match=r"'torch', and 'deepspeed, ZeRO-3' cannot go on from it"):
        run(replace(stopped, engine="deepspeed", zero=read_zero("3")))


def test_data_that_changed_since_are_refused(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", takes=3)
    recipe = tiny_recipe(("stage1",), steps=4)
    stopped = training(tmp_path / "run", data, recipe=recipe)
    assert not run(replace(stopped, settings=replace(QUIET, stop_after=1)))
    clips = data / "clips.jsonl"
    clips.write_text(clips.read_text().replace("red", "blue"))
    with pytest.raises(ResumeError, match=r"stage1: clips.jsonl changed"):
        run(stopped)


def test_a_named_model_begins_the_first_stage_alone(tmp_path: Path, data: Path) -> None:
    """Stage 1 moves the exocentric encoder, and stage 2 leaves it as it is."""
    run(training(tmp_path / "other", data, recipe=tiny_recipe(("stage1",), steps=1, seed=7)))
    other = tmp_path / "other" / "stage1" / "model"
    assert run(training(tmp_path / "run", data, recipe=tiny_recipe(("stage1", "stage2"), steps=1), before=other))
    begun = json.loads((tmp_path / "run" / "run.json").read_text())["begun_from"]
    assert (len(begun["stage1"]), begun["stage2"]) == (64, "")
    encoders = [
        {name: tensor for name, tensor in weights(folder).items() if name.startswith("exo_encoder.")}
        for folder in (other, *(tmp_path / "run" / stage / "model" for stage in ("stage1", "stage2")))
    ]
    assert all(torch.equal(tensor, encoders[2][name]) for name, tensor in encoders[1].items())
    assert not all(torch.equal(tensor, encoders[2][name]) for name, tensor in encoders[0].items())


def test_a_stage_goes_on_with_the_model_that_it_was_begun_from_alone(tmp_path: Path) -> None:
    """What is frozen is in no checkpoint: another model would be mixed in."""
    models = [tmp_path / name for name in ("a", "b")]
    for model in models:
        model.mkdir()
        (model / "config.json").write_text(model.name)
    check_recipe(tmp_path, tiny_recipe())
    check_beginning(tmp_path, "stage2", models[0])
    check_beginning(tmp_path, "stage2", models[0].rename(tmp_path / "moved"))
    for other in (models[1], None):
        with pytest.raises(ResumeError, match=r"stage2: was begun in .* with another model after --from"):
            check_beginning(tmp_path, "stage2", other)
    check_beginning(tmp_path, "stage3", None)
    with pytest.raises(ResumeError, match=r"stage3: was begun in .* with no model that was named after --from"):
        check_beginning(tmp_path, "stage3", models[1])


def test_a_recipe_that_never_had_its_data_is_no_training_yet(tmp_path: Path) -> None:
    check_recipe(tmp_path, tiny_recipe())
    check_recipe(tmp_path, tiny_recipe(seed=3))
    assert read_run(tmp_path)["fingerprint"] == tiny_recipe(seed=3).fingerprint
    check_data(tmp_path, "init", {"clips.jsonl": "0" * 64})
    with pytest.raises(ResumeError, match="seed is 3 there and 0 here"):
        check_recipe(tmp_path, tiny_recipe())


def test_a_folder_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    check_recipe(tmp_path, tiny_recipe())
    values = json.loads((tmp_path / "run.json").read_text())
    values.pop("begun_from", None)
    (tmp_path / "run.json").write_text(json.dumps(values))
    check_beginning(tmp_path, "stage1", None)
    assert read_run(tmp_path)["begun_from"] == {"stage1": ""}


def test_a_beginning_that_holds_no_model_is_refused(tmp_path: Path, data: Path) -> None:
    for folder in (tmp_path / "nowhere", data):
        with pytest.raises(ModelError, match=r"no model that recipe .* can begin from; expected what a stage"):
            begin(tiny_recipe(), data, folder, dtype="float32")
    (tmp_path / "words" / "language").mkdir(parents=True)
    with pytest.raises(ModelError, match="no model that recipe 7b can begin from"):
        begin(override(load_recipe("7b"), ["init=published"]), data, tmp_path / "words", dtype="float32")


def test_a_path_that_is_no_text_is_written_down_readably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["exo2ego", "train", "tiny", "--out", "run\udcff"])
    check_recipe(tmp_path, tiny_recipe())
    assert read_run(tmp_path)["command"][-1] == "run\\udcff"


def test_a_stage_without_the_one_before_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(StageError, match=r"stage2: the stage before it, stage1, is not done"):
        training(tmp_path, data).run(["stage2"])


def test_two_trainings_do_not_share_a_folder(tmp_path: Path, data: Path) -> None:
    first = training(tmp_path, data)
    with own_folder(first), pytest.raises(ResumeError, match="another process trains in it"), own_folder(first):
        pass
