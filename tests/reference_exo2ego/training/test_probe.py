"""A probe reads captions and questions by rules, and learns facts from frames."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from egobench.annotations import Annotations  # noqa: E402
from egobench.dataset.build import build  # noqa: E402
from egobench.errors import TrainingDataError  # noqa: E402
from egobench.evaluate import evaluate  # noqa: E402
from egobench.miniego.generate import write_split  # noqa: E402
from egobench.miniego.official import egoplan, egoschema, egotaskqa, qaego4d, vlnqa  # noqa: E402
from egobench.miniego.official.files import Films  # noqa: E402
from egobench.miniego.official.questions import Group, Question, grouped  # noqa: E402
from egobench.miniego.rendering import render_all  # noqa: E402
from egobench.miniego.world.episode import Episode  # noqa: E402
from egobench.miniego.world.plans import goal_of  # noqa: E402
from egobench.miniego.world.simulate import World, simulate  # noqa: E402
from egobench.miniego.world.walks import whereabouts  # noqa: E402
from egobench.observer import SilentObserver  # noqa: E402
from egobench.plugins import load_model, load_task  # noqa: E402
from egobench.run.spec import Settings  # noqa: E402
from reference_exo2ego.cli import main  # noqa: E402
from reference_exo2ego.data.egoit.build import InstructionRule, build_instructions  # noqa: E402
from reference_exo2ego.data.egoit.wording import shipped_instructions  # noqa: E402
from reference_exo2ego.training.probe.actions import FIELDS, Action, read_action  # noqa: E402
from reference_exo2ego.training.probe.asking import ProbeRequest, probe_recipe  # noqa: E402
from reference_exo2ego.training.probe.claims import claim_log_probability, claim_of  # noqa: E402
from reference_exo2ego.training.probe.evidence import (  # noqa: E402
    DOOR_COLOURS,
    GOAL_SENTENCES,
    PLACES,
    Evidence,
    Fields,
    join_moments,
)
from reference_exo2ego.training.probe.facts import read_facts  # noqa: E402
from reference_exo2ego.training.recipe import load_recipe  # noqa: E402
from tests.conftest import NoEmbedder  # noqa: E402

STOOD_ON = ("counter", "stove", "shelf", "stool", "table", "sofa", "desk", "bed")
"""Fixtures that things are put on, as the vocabulary of MiniEgo has them."""


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("small", seed=0)


def certain(action: Action) -> Fields:
    """Fields of an action that is known for sure."""
    fields: dict[str, np.ndarray] = {}
    for name, values in action._asdict().items():
        shares = [1.0 if value in values or not values else 0.0 for value in FIELDS[name]]
        fields[name] = np.array(shares) / sum(shares)
    return fields


def truth(question: Question) -> Evidence:
    """All that is true of a question's episode."""
    episode = question.episode
    steps = [certain((read_action(step.text) or Action())._replace(hand=(step.hand,))) for step in episode.steps]
    goal, doors = np.zeros(len(GOAL_SENTENCES)), np.zeros((len(DOOR_COLOURS), len(PLACES)))
    if episode.kind == "walk":
        for door in episode.things:
            doors[DOOR_COLOURS.index(door.colour), PLACES.index(whereabouts(episode, door.colour))] = 1
    else:
        goal[GOAL_SENTENCES.index(goal_of(episode).third)] = 1
    later = (fields for step, fields in zip(episode.steps, steps, strict=True) if step.start >= question.start)
    nothing = certain(Action())
    return Evidence(steps[0] if steps else nothing, steps, next(later, nothing), goal, doors)


def groups(episodes: list[Episode], task: str) -> Iterator[Group]:
    """Questions of a task that share their options, as its official file has them."""
    candidates = {
        "egoschema": egoschema.candidates,
        "qaego4d": qaego4d.candidates,
        "egotaskqa": egotaskqa.candidates,
        "egoplan": egoplan.candidates,
        "vln-qa": vlnqa.next_moves,
        "doors": vlnqa.doors,
    }[task]
    questions = [question for episode in episodes for question in candidates(episode)]
    sizes = {"egoschema": (5,), "egotaskqa": (2, 4), "doors": (2, 4)}.get(task, (4,))
    for size in sizes:
        yield from grouped(questions, size, 60, Random(0))


@pytest.mark.parametrize("task", ["egoschema", "qaego4d", "egotaskqa", "egoplan", "vln-qa", "doors"])
def test_rules_answer_every_question_from_what_is_true(world: World, task: str) -> None:
    episodes = {"vln-qa": world.walks, "doors": world.walks, "egotaskqa": world.activities}.get(task, world.test)
    wrong: list[str] = []
    unread: set[str] = set()
    count = 0
    for group in groups(list(episodes), task):
        for number, question in enumerate(group):
            claims = [claim for option in group if (claim := claim_of(question.text, option.answer)) is not None]
            if len(claims) < len(group):
                unread.add(question.template)
                continue
            evidence, count = truth(question), count + 1
            scores = [claim_log_probability(claim, evidence) for claim in claims]
            if scores.count(max(scores)) != 1 or scores.index(max(scores)) != number:
                wrong.append(f"{question.text} {[option.answer for option in group]} {scores}")
    assert count >= 32
    assert wrong == []
    assert unread <= {"before", "without"}


@pytest.mark.parametrize(
    ("caption", "action"),
    [
        ("C takes the red cup from the fridge", Action(("take",), ("cup",), ("red",), ("fridge",))),
        ("put purple jug on stool", Action(("put",), ("jug",), ("purple",), ("stool",))),
        ("turning off the washing machine", Action(("turn off",), ("washing machine",))),
        (
            "pours from the black jug into the orange pan",
            Action(("pour",), ("jug",), ("black",), ("pan",), ("orange",)),
        ),
        (
            "Use your left hand to wash the white plate in the sink.",
            Action(("wash",), ("plate",), ("white",), ("sink",), hand=("left",)),
        ),
        ("Putting some bread onto something", Action(("put",), ("bread",), other=STOOD_ON)),
    ],
)  # fmt: skip
def test_captions_of_any_form_are_read(caption: str, action: Action) -> None:
    assert read_action(caption) == action


def test_a_caption_without_a_known_verb_tells_nothing() -> None:
    assert read_action("C looks into the book") is None


def test_a_question_of_no_known_form_claims_nothing() -> None:
    assert claim_of("Is the red cup clean before the person washes it?", "yes") is None


@pytest.mark.parametrize(
    ("question", "option"),
    [
        ("What is the overall goal of the person?", "To win the match."),
        ("Where is the red door at the end of the walk?", "Behind the moon."),
        ("Which door is upstairs?", "The red door."),
        ("Which door is to the left?", "None"),
        ("Which door is to the left?", "The golden door."),
        ("How many times did I open the fridge?", "Often."),
        ("What has changed its place?", "Nothing."),
        ("Which object becomes invisible?", "The cup."),
    ],
)
def test_an_option_in_words_of_no_known_form_claims_nothing(question: str, option: str) -> None:
    assert claim_of(question, option) is None


def test_neighbouring_moments_of_one_action_are_one_event() -> None:
    verbs = ["idle", "take", "take", "idle", "open", "open"]
    things = ["cup", "cup", "cup", "cup", "fridge", "drawer"]
    moments = {name: np.full((6, len(values)), 1 / len(values)) for name, values in FIELDS.items()}
    for name, values in (("verb", verbs), ("thing", things)):
        moments[name] = np.eye(len(FIELDS[name]))[[FIELDS[name].index(value) for value in values]]
    events = join_moments(moments)
    named = [(FIELDS["verb"][event["verb"].argmax()], FIELDS["thing"][event["thing"].argmax()]) for event in events]
    assert named == [("take", "cup"), ("open", "fridge"), ("open", "drawer")]


class Walks:
    """Walks of a small training world, rendered, and the questions about their next moves as a sample set."""

    def __init__(self, root: Path, world: World) -> None:
        self.data = root / "data"
        self.videos = self.data / "miniego" / "train"
        films = Films(self.videos)
        write_split(self.videos, world.train, films, 0)
        rendered = [films.below(["egotimeqa", "vln-qa"])]
        render_all(world.train.walks, rendered, timecode=False, workers=1, progress=None)
        out = self.data / "egoit.jsonl"
        build_instructions({"egotimeqa": self.videos / "egotimeqa"}, out, shipped_instructions(), InstructionRule())
        questions = build(load_task("vln-qa"), Annotations(self.videos / "vln-qa"), NoEmbedder())
        self.sets = [questions]
        self.folder = questions.write(root / "sets").parents[1]


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory, world: World) -> Walks:
    return Walks(tmp_path_factory.mktemp("walks"), world)


WALKS_RECIPE = """
from reference_exo2ego.training.recipes.tiny import RECIPE as TINY, WALKS

last = TINY.stages[-1]
source = last.source.model_copy(update={"rows": (WALKS,), "turns": (("walk",),)})
RECIPE = TINY.model_copy(update={"stages": (last.model_copy(update={"source": source}),)})
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "walks.py"
    path.write_text(WALKS_RECIPE)
    return path


@pytest.mark.slow
def test_a_probe_learns_where_doors_are_and_answers_by_it(walks: Walks, recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(recipe_file))
    facts = read_facts(recipe, walks.data)
    request = ProbeRequest(
        recipe=recipe,
        data=walks.data,
        store=None,
        sets=walks.sets,
        videos=walks.videos,
        asked_store=None,
        out=tmp_path,
        steps=100,
        limit=None,
        recorded={},
    )
    result = probe_recipe(request, SilentObserver())
    (score,) = (entry for entry in result.run.scores.values() if entry.shown)
    assert len(facts[0].rows) == score.n
    assert score.chance == 0.25
    # It is asked about the very walks that it learnt from, at other moments.
    assert score.value is not None and score.value > 0.7
    assert result.unread == []


@pytest.mark.slow
def test_the_command_prints_scores_beside_those_of_a_run(
    walks: Walks, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = evaluate(load_model("first-choice"), walks.sets, walks.videos, tmp_path / "first", Settings())
    paths = ["--data", walks.data, "--sample-sets", walks.folder, "--videos", walks.videos, "--out", tmp_path / "runs"]
    words = ["exo2ego", "probe", recipe_file, *paths, "--steps", "1", "--beside", run.path, "--json"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert [list(row["runs"]) for row in printed["scores"]] == [["probe", "first-choice"]]
    assert Path(printed["run"]).is_dir()


def test_a_recipe_without_rows_about_miniego_has_no_probe(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="rows of questions about MiniEgo"):
        read_facts(load_recipe("small"), tmp_path)
