"""Variants are planned before anything is trained: what they share, what they cost, and which of them cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from egobench.errors import RecipeError, TrainingDataError  # noqa: E402
from reference_exo2ego.data.samples import SampleWriter, read_samples  # noqa: E402
from reference_exo2ego.training.ablation.chains import Counts, Step, chain_of, lacking  # noqa: E402
from reference_exo2ego.training.ablation.identity import Digests, fingerprint, kind_of  # noqa: E402
from reference_exo2ego.training.ablation.outside import OutsideFiles  # noqa: E402
from reference_exo2ego.training.ablation.selection import ablation_of, choose, leave_out  # noqa: E402
from reference_exo2ego.training.ablation.variants import FULL, own_variant  # noqa: E402
from reference_exo2ego.training.recipe import Recipe, SampleFile, SampleFiles, override  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data  # noqa: E402

STAGES = ["init", "stage1", "stage2", "stage3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def counts(*, one_encoder: float = 1.0) -> Counts:
    """Steps as the recipe says; a step has an operation, with one encoder another number."""

    def steps(step: Step) -> int:
        return step.trained.steps or 0

    def operations(step: Step) -> float:
        return 1.0 if "init" in step.recipe.model.train.exo_encoder else one_encoder

    return Counts(steps, operations)


def chain(recipe: Recipe, name: str, data: Path, folder: Path, **cost: float) -> tuple[Step, ...]:
    """Trainings of a variant: of a name, or of one's own, which has a colon."""
    variant = own_variant(name) if ":" in name else ablation_of(recipe).variants[name]
    return chain_of(variant, recipe, OutsideFiles(data, folder), counts(**cost))


def files_of(step: Step) -> tuple[SampleFile, ...]:
    source = step.trained.source
    assert isinstance(source, SampleFiles)
    return source.files


def ids(recipe: Recipe, name: str, data: Path, folder: Path) -> list[str]:
    """Fingerprints of a variant's trainings."""
    names: list[str] = []
    digests = Digests(data)
    for step in chain(recipe, name, data, folder):
        names.append(fingerprint(step, names[-1] if names else None, digests))
    return names


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("without-lora", 3),
        ("ego-frozen", 3),
        ("forward-cycle", 2),
        ("without-g", 2),
        ("without-kl", 2),
        ("kl-gaussian", 2),
        ("kl-output", 2),
        ("fully-connected", 2),
        ("exo-trained", 2),
        ("after-stage2", 3),
        ("full@0.3", 0),
        ("prompt-base", 4),
        ("weak-kl: model.weights.kl=0.1", 2),
        ("longer: stage2.steps=4", 2),
        ("other-words: model.weights.vtg=0.5", 0),
    ],
)
def test_variants_share_the_stages_that_they_do_not_vary(name: str, shared: int, data: Path, tmp_path: Path) -> None:
    full, varied = (ids(tiny_recipe(), variant, data, tmp_path) for variant in (FULL, name))
    assert [one == other for one, other in zip(full, varied, strict=False)] == [
        place < shared for place in range(min(len(full), len(varied)))
    ]


def test_the_recipe_itself_is_trained_as_it_is(data: Path, tmp_path: Path) -> None:
    steps = chain(tiny_recipe(), FULL, data, tmp_path)
    assert [step.stage for step in steps] == STAGES
    assert all(step.recipe == tiny_recipe() for step in steps)


def test_a_shared_stage_is_trained_by_the_same_recipe(data: Path, tmp_path: Path) -> None:
    steps = chain(tiny_recipe(), "without-g", data, tmp_path)
    assert [step.recipe.model.ccl for step in steps] == ["both", "both", "none", "none"]


def test_seed_and_content_decide_and_paths_do_not(data: Path, tmp_path: Path) -> None:
    first = ids(tiny_recipe(), FULL, data, tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(data, moved)
    (moved / "clips.jsonl").rename(moved / "other.jsonl")
    changes = [f"init.source.files.{number}.path=other.jsonl" for number in (0, 1)]
    changes += [f"{stage}.source.files.0.path=other.jsonl" for stage in ("stage1", "stage2")]
    assert ids(override(tiny_recipe(), changes), FULL, moved, tmp_path) == first
    assert not set(ids(tiny_recipe(seed=1), FULL, data, tmp_path)) & set(first)
    rows = (data / "questions.json").read_text(encoding="utf-8")
    (moved / "questions.json").write_text(rows.replace("cup", "mug"), encoding="utf-8")
    changed = ids(override(tiny_recipe(), changes), FULL, moved, tmp_path)
    assert changed[0] != first[0], "the first stage's tokenizer may be made of every word of the recipe"


def test_a_missing_file_is_named_before_anything_is_trained(data: Path, tmp_path: Path) -> None:
    recipe = override(tiny_recipe(), ["stage3.source.files.0.path=none.json"])
    with pytest.raises(TrainingDataError, match=r"none\.json: cannot be read"):
        ids(recipe, FULL, data, tmp_path)


def test_one_encoder_sees_all_clips_for_as_many_operations(data: Path, tmp_path: Path) -> None:
    """By hand: 3 + 3 + 3 steps of captions and 3 of questions, at half the operations a step: 18 and 6."""
    first, second = chain(tiny_recipe(), "single", data, tmp_path, one_encoder=0.5)
    assert (first.trained.steps, second.trained.steps) == (18, 6)
    files = files_of(first)
    assert [(Path(file.path).name, file.view) for file in files] == [("clips.exo.jsonl", "ego"), ("clips.jsonl", "ego")]
    assert first.recipe.model.trained_in("init") == ("ego_encoder", "connector")
    assert second.recipe.model.trained_in("init") == ("ego_encoder", "low_rank")
    assert [file.path for file in files_of(second)] == ["questions.json"]


def test_one_encoder_for_both_views_is_nothing_that_the_single_one_needs(data: Path, tmp_path: Path) -> None:
    recipe = override(tiny_recipe(), ["init.one_encoder=true"])
    first, second = chain(recipe, "single", data, tmp_path)
    assert recipe.stage("init").one_encoder
    assert not first.trained.one_encoder and not second.trained.one_encoder


def test_views_from_outside_are_samples_of_their_own(data: Path, tmp_path: Path) -> None:
    made = OutsideFiles(data, tmp_path).of("clips.jsonl")
    assert made is not None
    seen, own = list(read_samples(Path(made))), list(read_samples(data / "clips.jsonl"))
    assert [sample.media for sample in seen] == [view.video for sample in own for view in sample.exo]
    assert [sample.turns for sample in seen] == [sample.turns for sample in own]
    assert not any(sample.exo for sample in seen)


def test_files_of_one_name_have_views_from_outside_of_their_own(data: Path, tmp_path: Path) -> None:
    places = ("clips.jsonl", "other/clips.jsonl", "other/clips.json")
    there = tmp_path / "there"
    shutil.copytree(data, there)
    samples = list(read_samples(data / "clips.jsonl"))
    (there / "other").mkdir()
    for count, place in enumerate(places[1:], start=1):
        with SampleWriter(there / place) as writer:
            for sample in samples[:count]:
                writer.write(sample)
    made = [OutsideFiles(there, tmp_path / "made").of(place) for place in places]
    assert [len(list(read_samples(Path(path)))) for path in made if path] == [len(samples), 1, 2]


def test_exocentric_questions_lie_beside_the_egocentric_ones(data: Path, tmp_path: Path) -> None:
    variants, lacks = ablation_of(tiny_recipe()), OutsideFiles(data, tmp_path)
    reasons = lacking(variants.variants.values(), tiny_recipe(), lacks)
    assert sorted(reasons) == ["single-ego-both", "single-ego-exo", "single-exo-both", "single-exo-exo"]
    left = leave_out(variants, reasons)
    assert [row.variant for table in left.tables if table.name == "table9" for row in table.rows] == [
        FULL,
        "single-exo-ego",
        "single-ego-ego",
        "single",
    ]
    with pytest.raises(ValueError, match=r"single-exo-exo' is none of this recipe: no exocentric questions"):
        choose(left, ["single-exo-exo"])
    beside = tmp_path / "data"
    shutil.copytree(data, beside)
    shutil.copy(beside / "questions.json", beside / "questions.exo.json")
    first, second = chain(tiny_recipe(), "single-exo-both", beside, tmp_path)
    assert [Path(file.path).name for file in files_of(first)] == ["clips.exo.jsonl"]
    assert [file.path for file in files_of(second)] == ["questions.json", "questions.exo.json"]


def test_egocentric_videos_alone_are_thinned(data: Path, tmp_path: Path) -> None:
    steps = chain(tiny_recipe(), "full@0.1", data, tmp_path)
    shares = [[(file.view, file.share) for file in files_of(step)] for step in steps]
    assert shares == [[("exo", 1.0), ("ego", 0.1)], [("exo", 1.0)], [("pair", 0.1)], [("ego", 0.1)]]
    assert [step.trained.steps for step in steps] == [3, 3, 3, 3]


def test_what_does_not_change_the_cost_is_measured_once(data: Path, tmp_path: Path) -> None:
    full, without, thinned = (chain(tiny_recipe(), name, data, tmp_path) for name in (FULL, "without-kl", "full@0.1"))
    other_seed = chain(tiny_recipe(seed=1), FULL, data, tmp_path)
    assert [kind_of(step) for step in full] == [kind_of(step) for step in thinned]
    assert [kind_of(step) for step in full] == [kind_of(step) for step in other_seed]
    assert kind_of(full[3]) == kind_of(without[3])
    assert kind_of(full[2]) != kind_of(without[2])


def test_names_bring_what_they_are_compared_with() -> None:
    chosen = choose(ablation_of(tiny_recipe()), ["without-kl"])
    assert list(chosen.variants) == [FULL, "without-kl"]
    assert [(table.name, len(table.rows)) for table in chosen.tables] == [("table7", 2)]
    stages = choose(ablation_of(tiny_recipe()), ["table15"])
    assert list(stages.variants) == [FULL, "after-init", "after-stage1", "after-stage2"]
    scarce = choose(ablation_of(tiny_recipe(), (1.0, 0.5)), ["single@0.5"])
    assert set(scarce.variants) == {"single@0.5", "full@0.5"}


def test_a_wrong_name_is_an_error_that_lists_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"'without-k1': did you mean 'without-kl'\? there are full, without-lora"):
        choose(ablation_of(tiny_recipe()), ["without-k1"])


def test_a_variant_that_contradicts_the_recipe_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r"variant exo-trained: .*no gradient reaches it in stage2 with ccl=forward"):
        ablation_of(override(tiny_recipe(), ["model.ccl=forward"]))


def test_a_variant_that_varies_nothing_is_left_out() -> None:
    ablation = ablation_of(override(tiny_recipe(), ["model.kl=gaussian", "model.train.low_rank=[]"]))
    assert "kl-gaussian" not in ablation.variants
    assert "kl-categorical" in ablation.variants
    assert ablation.absent == {"without-lora": "the recipe itself has model.train.low_rank=[]"}
    with pytest.raises(ValueError, match="without-lora' is none of this recipe"):
        choose(ablation, ["without-lora"])


def test_a_variant_of_ones_own_is_compared_with_the_recipe_at_its_share() -> None:
    own = [
        own_variant(text)
        for text in ("weak-kl@0.3: model.weights.kl=0.1", "weak:  model.weights.kl=0.1 stage2.steps=9")
    ]
    chosen = choose(ablation_of(tiny_recipe(), own=own), ["own"])
    (table,) = chosen.tables
    assert [(row.variant, row.against) for row in table.rows] == [
        ("full@0.3", None),
        ("weak-kl@0.3", "full@0.3"),
        (FULL, None),
        ("weak", FULL),
    ]
    assert chosen.variants["weak"].overrides == ("model.weights.kl=0.1", "stage2.steps=9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weak model.weights.kl=0.1", "expected a name of small letters"),
        ("weak:", "expected a name of small letters"),
        ("Weak KL: model.weights.kl=0.1", "expected a name of small letters"),
        ("weak@0: model.weights.kl=0.1", "a share of egocentric data above"),
        ("weak@1.5: model.weights.kl=0.1", "a share of egocentric data above"),
        ("weak@0.2: model.weights.kl=0.1", "0.2 is none of --shares"),
        ("without-kl: model.weights.kl=0.1", "there is one of this name already"),
    ],
)
def test_a_wrong_variant_of_ones_own_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ablation_of(tiny_recipe(), own=[own_variant(text)])


def test_a_wrong_value_of_ones_own_variant_is_refused_by_its_name() -> None:
    with pytest.raises(RecipeError, match=r"variant weak: .*model\.weights\.lk"):
        ablation_of(tiny_recipe(), own=[own_variant("weak: model.weights.lk=0.1")])


def test_tables_have_the_numbers_of_the_paper() -> None:
    """The paper's Tables 7, 8, 9 and 16; Table 15 is the mean of its ten scores, 465.7 and 512.0 and 555.8 tenths."""
    papers = {
        (table.name, row.variant): row.paper
        for table in ablation_of(tiny_recipe()).tables
        for row in table.rows
        if row.paper is not None
    }
    assert papers["table7", "without-kl"] == 0.514
    assert papers["table8", "ego-frozen"] == 0.525
    assert papers["table9", "single-ego-both"] == 0.487
    assert papers["table16", "prompt-task"] == 0.552
    assert (
        json.dumps([papers["table15", name] for name in ("after-init", "after-stage2", FULL)])
        == "[0.4657, 0.512, 0.5558]"
    )
