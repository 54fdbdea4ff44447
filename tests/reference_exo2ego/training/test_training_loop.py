"""The loop: what it minimises, what it says, and when it stops."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("ijson")

from egobench.errors import DivergenceError, RecipeError, StageError, TrainingDataError  # noqa: E402
from reference_exo2ego.model.freezing import part_digest, part_of  # noqa: E402
from reference_exo2ego.training.beginning import begin, check_trained, prepare  # noqa: E402
from reference_exo2ego.training.loop import LoopSettings  # noqa: E402
from reference_exo2ego.training.overfit import overfit  # noqa: E402
from reference_exo2ego.training.recipe import Recipe  # noqa: E402
from reference_exo2ego.training.run import Training, own_folder  # noqa: E402
from reference_exo2ego.training.schedule import build_optimizer, rate_share  # noqa: E402
from reference_exo2ego.training.sources import open_source  # noqa: E402
from reference_exo2ego.training.tracking import LogRecord, Tracker  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data  # noqa: E402

QUIET = LoopSettings(workers=0, save_every=0, log_every=1)
STAGES = ("init", "stage1", "stage2", "stage3")


@dataclass(slots=True)
class Memory:
    """Keeps records."""

    records: list[LogRecord] = field(default_factory=list)

    def write(self, record: LogRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        pass

    def numbers(self, kind: str = "step") -> list[dict[str, float]]:
        return [record.numbers for record in self.records if record.kind == kind]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def training(folder: Path, data: Path, recipe: Recipe, memory: Memory | None = None) -> Training:
    tracker = Tracker([memory] if memory else [])
    return Training(recipe=recipe, folder=folder, data=data, settings=QUIET, tracker=tracker)


def run(training: Training, stages: Sequence[str] | None = None) -> Memory:
    memory = Memory()
    with own_folder(training):
        replace(training, tracker=Tracker([memory])).run(stages)
    return memory


@pytest.mark.parametrize(
    ("stage", "kl"),
    [("stage2", "categorical"), ("stage2", "gaussian"), ("stage2", "output"), ("stage3", "categorical")],
)
def test_a_batch_in_pieces_is_the_batch(stage: str, kl: str, tmp_path: Path) -> None:
    """Texts differ in length and dropout is off: means over words, not means of means."""
    data = write_data(tmp_path / "data")
    for file in (data / "clips.jsonl", data / "questions.json"):
        file.write_text(file.read_text().replace("pan", "pan the red pan the blue pan"))
    values: dict[str, Any] = {"batch": 4, "steps": 1, "model": _model(low_rank={"dropout": 0.0}) | {"kl": kl}}
    results = []
    for micro in (1, 2, 4):
        recipe = tiny_recipe((stage,), micro=micro, **values)
        results.append(run(training(tmp_path / str(micro), data, recipe)).numbers()[0])
    assert results[0]["kl"] > 0 or stage == "stage3"
    for other in results[1:]:
        for name in ("loss", "vtg", "kl", "ccl_ego", "ccl_exo", "grad_norm"):
            assert other[name] == pytest.approx(results[0][name], rel=1e-4), name


def _model(**sections: dict[str, Any]) -> dict[str, Any]:
    from tests.reference_exo2ego.training.tiny_training import LIVELY

    return LIVELY | {name: LIVELY[name] | values for name, values in sections.items()}


def test_the_recorded_losses_are_the_model_s(tmp_path: Path, data: Path) -> None:
    # A mapping that computes anew: one that adds to its input has no cycle loss at first.
    recipe = tiny_recipe(("stage2",), micro=4, steps=1, model=_model(mapping={"residual": False}))
    recorded = run(training(tmp_path, data, recipe)).numbers()[0]
    model, tokenizer = begin(recipe, data, None, dtype="float32")
    prepare(model, "stage2", checkpointing=False)
    (micro,) = open_source(recipe, recipe.stages[0], data, None, tokenizer).micro_batches(0, 0, 1)
    losses = micro.batch.losses(model)
    losses.total.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    assert min(losses.vtg, losses.kl, losses.ccl_exo) > 0
    expected = {"loss": losses.total, "vtg": losses.vtg, "kl": losses.kl, "ccl_exo": losses.ccl_exo, "grad_norm": norm}
    for name, value in expected.items():
        assert recorded[name] == pytest.approx(value.item(), rel=1e-5), name
    parts = losses.vtg + losses.kl + losses.ccl_ego + losses.ccl_exo
    assert losses.total.item() == pytest.approx(parts.item())


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_learns_a_batch_by_heart(stage: str, tmp_path: Path, data: Path) -> None:
    # A language model that is frozen and random has to be wide to be led by what stands before its words.
    recipe = tiny_recipe((stage,), batch=2, rate=3e-3, model=_model(language={"hidden_size": 64}))
    result = overfit(training(tmp_path, data, recipe), recipe.stages[0], 300)
    assert result.reached and result.losses["vtg"][1] < 0.05
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_frozen_does_not_move(stage: str, tmp_path: Path, data: Path) -> None:
    from reference_exo2ego.model.checkpoint import load

    recipe = tiny_recipe((stage,), steps=2)
    before = begin(recipe, data, None, dtype="float32").model
    run(training(tmp_path, data, recipe))
    after = load(tmp_path / stage / "model")
    trained = set(recipe.model.trained_in(stage))  # type: ignore[arg-type]
    for part in recipe.model.parts:
        if part != "low_rank":
            moved = part_digest(before, part) != part_digest(after, part)
            assert moved == (part in trained and part != "language"), part


def test_a_wrong_freeze_is_refused_before_the_first_step(data: Path) -> None:
    recipe = tiny_recipe(("stage1",))
    model = begin(recipe, data, None, dtype="float32").model
    prepare(model, "stage1", checkpointing=False)
    model.ego_encoder.requires_grad_()
    with pytest.raises(StageError, match="taking gradients and should be frozen"):
        check_trained(model, "stage1", build_optimizer(model, recipe, recipe.stages[0]))


def test_one_encoder_sees_both_views_and_both_go_on_from_it(tmp_path: Path, data: Path) -> None:
    from reference_exo2ego.model.checkpoint import load

    recipe = tiny_recipe(("init",), steps=2, one_encoder=True)
    before = begin(recipe, data, None, dtype="float32").model
    assert not torch.equal(*_class_embeddings(before))
    run(training(tmp_path, data, recipe))
    after = load(tmp_path / "init" / "model")
    assert torch.equal(*_class_embeddings(after))
    assert not torch.equal(_class_embeddings(before)[0], _class_embeddings(after)[0])
    assert after.ego_encoder is not after.exo_encoder


def test_one_encoder_of_other_stages_is_refused() -> None:
    with pytest.raises(RecipeError, match="one_encoder is for init alone"):
        tiny_recipe(("stage2",), one_encoder=True)


def _class_embeddings(model: Any) -> tuple[Any, Any]:
    ego, exo = (
        dict(encoder.named_parameters())["embeddings.class_embedding"]
        for encoder in (model.ego_encoder, model.exo_encoder)
    )
    return ego.detach(), exo.detach()


def test_the_stage_language_trains_the_language_model_alone(data: Path) -> None:
    recipe = tiny_recipe(("stage1",))
    model = begin(recipe, data, None, dtype="float32").model
    prepare(model, "language", checkpointing=False)
    optimizer = build_optimizer(model, recipe, recipe.stages[0])
    check_trained(model, "language", optimizer)
    assert {part_of(name) for name, value in model.named_parameters() if value.requires_grad} == {"language"}
    optimizer.add_param_group({"params": list(model.connector.parameters())})
    with pytest.raises(StageError, match="the language model alone"):
        check_trained(model, "language", optimizer)


def test_rates_are_of_parts_and_norms_do_not_decay(data: Path) -> None:
    recipe = tiny_recipe(("stage2",), rates={"to_exo": 0.5})
    model = begin(recipe, data, None, dtype="float32").model
    prepare(model, "stage2", checkpointing=False)
    optimizer = build_optimizer(model, recipe, recipe.stages[0])
    names = {id(value): name for name, value in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["rate"] == (0.5 if names[id(parameter)].startswith("to_exo") else 1e-3)
            assert group["weight_decay"] == (0.02 if parameter.ndim > 1 else 0.0)


def test_the_rate_rises_and_follows_a_cosine() -> None:
    stage = tiny_recipe(("stage1",), warmup=0.2, last=0.1).stages[0]
    shares = [rate_share(step, 10, stage) for step in range(10)]
    # Two steps of rising, then 0.1 + 0.9 (1 + cos(pi k / 8)) / 2 for k = 0 ... 7.
    assert shares[:3] == [0.5, 1.0, 1.0]
    assert shares[6] == pytest.approx(0.1 + 0.9 * 0.5)
    assert shares[9] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 7 / 8)) / 2)


def test_a_loss_that_is_no_number_stops_with_its_batch_saved(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("stage1",), rate=1e30, clip=0, steps=5)
    with pytest.raises(DivergenceError, match=r"stage1, step \d: .*diverged"):
        run(training(tmp_path, data, recipe))
    (path,) = (tmp_path / "stage1").glob("diverged-*.pt")
    micro = torch.load(path, weights_only=False)[0]
    assert micro.batch.clips == 2


def test_too_many_unreadable_clips_stop_it(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for file in (data / "takes" / "exo0").glob("*.png"):
        file.write_bytes(b"no picture")
    # Of 200 clips, from which on it is counted, 1 % are 2; a step of its own may miss several.
    recipe = tiny_recipe(("stage1",), steps=20, unreadable=0.01)
    with pytest.raises(TrainingDataError, match=r"stage1: ([3-9]|\d\d) of \d+ clips cannot be read, more than 1 %"):
        run(training(tmp_path / "run", data, recipe))
    memory = run(training(tmp_path / "other", data, tiny_recipe(("stage1",), steps=20, unreadable=0.5)))
    assert memory.numbers()[-1]["unreadable"] > 3


def test_an_unreadable_clip_ends_no_overfitting(tmp_path: Path) -> None:
    """Its place is taken at each step, so that of 400 clips 100 were unreadable."""
    data = write_data(tmp_path / "data")
    for file in (data / "takes" / "exo0").glob("*.png"):
        file.write_bytes(b"no picture")
    recipe = tiny_recipe(("stage1",), batch=10, micro=10)
    result = overfit(training(tmp_path / "run", data, recipe), recipe.stages[0], 40)
    assert result.steps == 40


def test_it_looks_at_the_model_first_now_and_then_and_last(tmp_path: Path, data: Path) -> None:
    memory = Memory()
    started = training(tmp_path, data, tiny_recipe(("stage2",), steps=5), memory)
    validated = replace(started, settings=replace(QUIET, validate_every=2))
    with own_folder(validated):
        validated.run()
    validations = [record for record in memory.records if record.kind == "validation"]
    assert [record.step for record in validations] == [0, 2, 4, 5]
    # F adds nothing at first, so F(x) is as far from y as x is.
    first, last = validations[0].numbers, validations[-1].numbers
    assert first["cosine"] == pytest.approx(first["cosine_unmapped"], abs=1e-5)
    assert last["cosine"] != pytest.approx(last["cosine_unmapped"], abs=1e-5)
    ((caption, *_),) = [record.values["captions"] for record in memory.records if record.kind == "captions"][:1]
    assert caption["expected"].startswith("C ")


def test_records_say_how_fast_it_went(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("stage3",), steps=2)
    first, second = run(training(tmp_path, data, recipe)).numbers()
    assert first["steps"] == 2 and second["clips"] == 8 and second["unreadable"] == 0
    assert 0 < second["data_wait"] < 1
    assert second["samples_per_second"] == pytest.approx(4 / second["seconds"])
    # Both views' tokens of a clip: 3 x 5 x 5 each, and its 11 words beside the video's place.
    tokens = 4 * (2 * 75 + 11)
    assert second["tokens_per_second"] == pytest.approx(tokens / second["seconds"], rel=0.02)


def test_a_learning_rate_of_a_stage_is_recorded_as_it_is(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("stage1",), steps=4, warmup=0.5)
    assert [row["rate"] for row in run(training(tmp_path, data, recipe)).numbers()] == pytest.approx(
        [0.5e-3, 1e-3, 1e-3, 0.5e-3]
    )


def test_the_run_says_what_it_was(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(("stage1",), steps=1)
    run(training(tmp_path, data, recipe))
    values = json.loads((tmp_path / "run.json").read_text())
    assert values["fingerprint"] == recipe.fingerprint and values["data"]["stage1"].keys() == {"clips.jsonl"}
