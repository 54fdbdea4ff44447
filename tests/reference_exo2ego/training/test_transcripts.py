"""What happens when, from the narrations of questions' moments."""

from __future__ import annotations

from random import Random

import pytest

pytest.importorskip("torch")

from reference_exo2ego.training.question_recipe import QuestionFile, RowKind
from reference_exo2ego.training.question_rows import QuestionRow, RowQuestion
from reference_exo2ego.training.transcripts import events_of, narrated, plain, slots

TAKE, WASH, PUT = (
    "#C C takes the red cup from the table",
    "#C C washes the red cup in the sink",
    "#C C puts the red cup",
)


def _row(*questions: RowQuestion) -> QuestionRow:
    return QuestionRow("row", None, None, list(questions))


def _kind(telling: str, frames: int) -> RowKind:
    values = {"name": "rows", "files": (QuestionFile(path="x"),), "batch": 1, "frames": frames, "telling": telling}
    return RowKind.model_validate(values)


def test_single_moments_say_when_and_the_longest_list_says_in_which_order() -> None:
    row = _row(
        RowQuestion("Why?", "so", (0.0, 10.0), (TAKE, WASH, PUT)),
        RowQuestion("Where is it put?", "on the table", (8.0, 9.0), (PUT,)),
        RowQuestion("From where?", "the table", (1.0, 2.0), (TAKE,)),
    )
    events = events_of(row, 10.0)
    assert [event.words.split()[0] for event in events] == ["takes", "washes", "puts"]
    assert [(event.start, event.end) for event in events] == [(1.0, 2.0), (2.0, 8.0), (8.0, 9.0)]


def test_a_moment_of_two_gives_the_beginning_of_the_first() -> None:
    row = _row(
        RowQuestion("Why?", "so", (0.0, 10.0), (TAKE, WASH, PUT)),
        RowQuestion("What next?", "wash", (3.0, 6.0), (TAKE, WASH)),
    )
    first, second, _ = events_of(row, 10.0)
    assert (first.start, second.end) == (3.0, 6.0)
    assert first.end == pytest.approx(4.3)  # 1.3 seconds where nothing says when it ends


def test_an_action_that_happens_twice_has_two_moments() -> None:
    row = _row(
        RowQuestion("Why?", "so", (0.0, 10.0), (TAKE, WASH, TAKE)),
        RowQuestion("q", "a", (1.0, 2.0), (TAKE,)),
        RowQuestion("q", "a", (3.0, 4.0), (WASH,)),
        RowQuestion("q", "a", (7.0, 8.0), (TAKE,)),
    )
    assert [event.start for event in events_of(row, 10.0)] == [1.0, 3.0, 7.0]


def test_without_moments_nothing_is_known() -> None:
    assert events_of(_row(RowQuestion("q", "a", None, ())), 10.0) == []


def test_slots_of_two_frames_hold_what_happens_at_them_and_the_hand_that_an_answer_names() -> None:
    row = _row(
        RowQuestion("Why?", "so", (0.0, 8.0), (TAKE, WASH)),
        RowQuestion("Which hand?", "my left hand", (0.0, 2.0), (TAKE,)),
        RowQuestion("What then?", "yes", (4.0, 6.0), (WASH,)),
    )
    first, second, third, last = slots(_kind("events", 8), row, 8.0, Random(0))
    assert first == [["takes", "red", "cup", "table", "left"]]
    assert second == last == []
    assert third == [["washes", "red", "cup", "sink"]]


def test_the_last_slot_tells_what_the_next_action_needs_but_not_the_action() -> None:
    words = slots(_kind("last", 4), _row(RowQuestion("Next?", "open fridge", None, ())), 3.0, Random(0))
    assert words == [[], [["fridge"]]]


def test_facts_without_a_moment_are_told_somewhere_each_by_itself() -> None:
    row = _row(
        RowQuestion("Where is the red door?", "to the left", None, ()),
        RowQuestion("Where is the blue door?", "straight ahead", None, ()),
    )
    words = [words for slot in slots(_kind("facts", 12), row, 4.0, Random(0)) for words in slot]
    assert sorted(words) == [["blue", "ahead"], ["red", "left"]]


def test_a_caption_fills_every_slot() -> None:
    words = slots(_kind("caption", 4), _row(RowQuestion("?", "C opens the fridge.", None, ())), 1.0, Random(0))
    assert words == [[["opens", "fridge"]]] * 2


def test_marks_and_subject_are_taken_off_narrations() -> None:
    assert plain(TAKE) == "takes the red cup from the table"
    assert plain("C opens it") == "opens it"


def test_all_that_happens_is_one_text() -> None:
    row = _row(RowQuestion("Why?", "so", (0.0, 8.0), (TAKE, PUT)))
    assert narrated(events_of(row, 8.0)) == "takes the red cup from the table, puts the red cup"
