"""The published ledger: every number as printed, under the id of what it measures, and what does not add up."""

from __future__ import annotations

import csv
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from egobench.leaderboard.footnotes import Footnote, footnotes
from egobench.leaderboard.grim import is_share, neighbours
from egobench.leaderboard.ledger import (
    PublishedModel,
    PublishedNumber,
    average,
    compare_with_ledger,
    published_models,
    read_ledger,
    read_sizes,
)
from egobench.model import Method
from egobench.run.plan import PartId
from egobench.scoring.entry import ProtocolId, ScoreEntry, by_id
from egobench.scoring.overview import headline_ids

CSV = Path(__file__).parents[2] / "leaderboard" / "published_results.csv"

# Tables 3 to 6 of arXiv 2503.09143v1, by hand, in the order of the headline: EgoSchema, QAEgo4D closed, EgoTaskQA
# direct and indirect, Charades-Ego, EK-100 MIR mAP, EgoPlan, VLN-QA, EgoMCQ inter and intra.
EXO2EGO = ("61.3", "62.1", "44.7", "50.3", "70.9", "49.7", "42.7", "44.5", "88.4", "41.2")
VIDEOLLAMA2 = ("51.7", "48.5", "42.1", "42.6", "68.1", "47.8", "29.3", "37.5", "82.1", "32.0")
HEADLINE = (
    "egoschema/all/mcq/official/acc",
    "qaego4d/closed/mcq/official/acc",
    "egotaskqa/direct/mcq/paper/acc",
    "egotaskqa/indirect/mcq/paper/acc",
    "charades-ego/all/mcq/paper/mAP",
    "epic-kitchens-mir/all/mcq/paper/mAP",
    "egoplan/all/mcq/official/acc",
    "vln-qa/all/mcq/official/acc",
    "egomcq/inter/mcq/paper/acc",
    "egomcq/intra/mcq/paper/acc",
)


def model(name: str, frames: str = "16") -> PublishedModel:
    (chosen,) = [row for row in published_models(read_ledger())
                 if row.name == name and row.variant.get("frames") == frames and row.average]  # fmt: skip
    return chosen


def footnote(key: str) -> Footnote:
    (chosen,) = [note for note in footnotes(read_ledger(), read_sizes()) if note.key == key]
    return chosen


def entry(protocol_id: str, value: float | None = 0.5, *, n: int = 200, expected: int = 200) -> ScoreEntry:
    return ScoreEntry(
        id=ProtocolId.parse(protocol_id), n=n, n_expected=expected, outcomes={"answered": n}, clusters=n, value=value,
        se=None, low=None, high=None, answered_only=value, problem=None, chance=0.25, blind=None, blind_trained=None,
        samples_sha256="", orders=1, headline=True, shown=True,
    )  # fmt: skip


def test_every_number_of_the_ledger_is_the_printed_one() -> None:
    with CSV.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = read_ledger()
    keys = ("table", "model", "benchmark", "metric")
    assert [(*(row[key] for key in keys), row["value"]) for row in rows] == [
        (*(getattr(number, key) for key in keys), number.printed) for number in numbers
    ]
    assert (len(numbers), sum(number.printed != "" for number in numbers)) == (275, 254)
    for number in numbers:
        top = 5 if number.metric == "score_open" else 100
        assert number.value == (float(Decimal(number.printed) / top) if number.printed else None)


@pytest.mark.parametrize(("name", "printed"), [("Exo2Ego", EXO2EGO), ("VideoLLaMA2", VIDEOLLAMA2)])
def test_headline_numbers_are_those_of_the_tables(name: str, printed: tuple[str, ...]) -> None:
    by_metric = {number.metric_id: number.printed for number in model(name).numbers}
    assert [by_metric[metric] for metric in HEADLINE] == [*printed]
    assert sorted(HEADLINE) == sorted(headline_ids())


def test_the_average_of_the_paper_is_that_of_ten_numbers() -> None:
    # By hand: 61.3 + 62.1 + 44.7 + 50.3 + 70.9 + 49.7 + 42.7 + 44.5 + 88.4 + 41.2 = 555.8; VideoLLaMA2's sum is 481.7.
    assert model("Exo2Ego").average == pytest.approx(0.5558)
    assert model("VideoLLaMA2").average == pytest.approx(0.4817)
    numbers = [number for number in model("Exo2Ego").numbers if number.benchmark != "VLN-QA"]
    assert average(numbers) is None


def test_no_published_id_is_that_of_a_run_but_for_official_gallery_metrics() -> None:
    methods = {number.id.method for number in read_ledger() if number.id}
    assert methods.isdisjoint(get_args(Method))
    assert methods == {"unstated", "embedding", "fine-tuned"}
    galleries = {str(number.id) for number in read_ledger() if number.id and number.id.method == "embedding"}
    assert galleries == {
        "charades-ego/all/gallery/gallery157/mAP/embedding",
        "epic-kitchens-mir/all/gallery/gallery/mAP/embedding",
        "epic-kitchens-mir/all/gallery/gallery/nDCG/embedding",
    }


def test_every_id_can_be_written_and_read() -> None:
    ids = {number.id for number in read_ledger() if number.id}
    assert {ProtocolId.parse(str(protocol_id)) for protocol_id in ids} == ids


def test_a_model_that_was_fine_tuned_is_another_row_than_the_same_without() -> None:
    rows = [row for row in published_models(read_ledger()) if row.name == "EgoVLP"]
    assert [(row.variant["eval"], len(row.numbers)) for row in rows] == [("FT", 5), ("ZS", 3)]


@pytest.mark.parametrize(
    ("printed", "n", "possible"),
    [("32.3", 200, False), ("37.7", 200, False), ("44.5", 200, True), ("33.3", 3, True), ("66.6", 3, False),
     ("66.7", 3, True), ("0.0", 7, True), ("12.5", 8, True), ("13", 8, True), ("12", 8, True), ("6.3", 16, True)],
)  # fmt: skip
def test_a_share_is_a_whole_number_of_right_answers(printed: str, n: int, *, possible: bool) -> None:
    assert is_share(printed, n) == possible
    brute = any(abs(Decimal(100 * right) / n - Decimal(printed)) <= Decimal(5) * Decimal(10) ** (
        Decimal(printed).as_tuple().exponent - 1) for right in range(n + 1))  # type: ignore[operator]  # fmt: skip
    assert brute == possible


def test_two_vln_qa_numbers_are_impossible_and_no_other_of_them() -> None:
    keys = [note.key for note in footnotes(read_ledger(), read_sizes()) if note.key.startswith("grim")]
    assert keys == ["grim-5-32.3", "grim-15-37.7"]
    # By hand: 200 x 0.323 = 64.6, and 64 / 200 = 32.0 %, 65 / 200 = 32.5 %.
    assert footnote("grim-5-32.3").arithmetic == (
        "32.3 % of 200 samples would be 64.6 right answers. 64 right answers are 32.0 %, 65 are 32.5 %."
    )
    assert neighbours("37.7", 200) == (75, 76)


def test_one_gain_of_table_13_is_wrong() -> None:
    keys = [note.key for note in footnotes(read_ledger(), read_sizes()) if note.key.startswith("arrow")]
    assert keys == ["arrow-egoplan-val"]
    assert "42.7 - 29.4 (Qwen2-VL) = 13.3" in footnote("arrow-egoplan-val").arithmetic


def test_quoted_gallery_values_of_table_4_are_seven() -> None:
    note = footnote("two-protocols-in-table-4")
    assert sorted(number.printed for number in note.numbers) == ["25.0", "26.0", "26.2", "28.8", "28.9", "36.1", "40.0"]


def test_chance_of_five_candidates_is_among_the_epic_numbers() -> None:
    # By hand: (1 + 1/2 + 1/3 + 1/4 + 1/5) / 5 = 0.456667; (1 + 0.63093 + 0.5 + 0.43068 + 0.38685) / 5 = 0.58969.
    text = footnote("epic-at-chance").arithmetic
    assert "= 45.67 %" in text
    assert "= 58.97 %" in text
    assert "mAP from 42.6 to 49.7 and nDCG from 58.6 to 63.6" in text


def test_no_choice_of_metrics_gives_both_averages() -> None:
    ours, theirs = (*EXO2EGO, "28.3", "63.6"), (*VIDEOLLAMA2, "25.3", "60.6")
    means = [
        sum(map(float, (theirs[place] for place in chosen))) / size
        for size in range(3, 13)
        for chosen in combinations(range(12), size)
        if abs(sum(map(float, (ours[place] for place in chosen))) / size - 55.6) < 0.0500001
    ]
    text = footnote("average-38.9").arithmetic
    assert min(means) == pytest.approx(45.9, abs=0.05)
    assert f"{len(means)} give Exo2Ego" in text
    assert "the mean of the same ten of VideoLLaMA2 is 48.17, not 38.9" in text


def test_ours_stands_beside_the_paper_s_with_what_differs() -> None:
    scores = by_id([
        entry("vln-qa/all/mcq/official/acc/generate", 0.5),
        entry("vln-qa/all/mcq/official/acc/generate/blind", 0.3),
        entry("egoplan/all/mcq/official/acc/likelihood-official", 0.4, n=10, expected=3355),
    ])  # fmt: skip
    rows = {row.published.benchmark: row for row in compare_with_ledger(model("Exo2Ego").numbers, scores)}
    assert rows["VLN-QA"].difference == pytest.approx(0.055)
    assert rows["VLN-QA"].reasons == ("The paper does not say how an answer became a number; ours was by generate.",)
    assert rows["EgoPlan Val"].reasons[:2] == (
        "Ours is of 10 of 3355 samples.",
        "The paper's number is of 3,339 samples, ours of 3,355.",
    )
    assert (rows["EgoSchema"].ours, rows["EgoSchema"].difference) == (None, None)
    assert len(rows) == 8


def test_the_sizes_are_those_of_table_2() -> None:
    sizes = {size.benchmark: (size.videos, size.questions) for size in read_sizes()}
    assert sizes["EgoSchema"] == (5031, 5031)
    assert sizes["VLN-QA"] == (200, 200)
    assert sum(questions for _, questions in sizes.values()) == 5031 + 1854 + 19182 + 846 + 9668 + 3339 + 200 + 39716


def test_dashes_have_no_value() -> None:
    dashes: list[PublishedNumber] = [number for number in read_ledger() if not number.printed]
    assert {number.value for number in dashes} == {None}
    assert PartId("egoschema", "all", "mcq", "official") in {number.id.part for number in dashes if number.id}
