"""Protocol ids and score entries survive being written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egobench.controls import CONTROLS
from egobench.run.plan import PartId
from egobench.scoring.entry import (
    GallerySize,
    JudgeCounts,
    OptionPositions,
    ProtocolId,
    ScoreEntry,
    TagScore,
    metric_id,
)

NAMES = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,2}", fullmatch=True)
METHODS = st.sampled_from(["generate", "likelihood-letter", "likelihood-sum", "likelihood-mean", "embedding", "scores"])
PRIORS = st.sampled_from([0.0, 0.5, 1.0, 1e-05, 2.25])


@given(
    part=st.builds(PartId, NAMES, NAMES, NAMES, NAMES),
    metric=NAMES,
    method=METHODS,
    judge=st.text(max_size=20),
    text_prior=PRIORS,
    retriever=st.sampled_from(["", "top5@0123456789ab"]),
    control=st.sampled_from([None, *CONTROLS]),
)
def test_an_id_is_read_as_it_was_written(
    part: PartId, metric: str, method: str, judge: str, text_prior: float, retriever: str, control: object
) -> None:
    written = ProtocolId(
        part=part,
        metric=metric,
        method=method,
        judge=judge,
        rubric="abc" if judge else "",
        text_prior=text_prior,
        retriever=retriever,
        control=control,  # type: ignore[arg-type]
    )
    assert ProtocolId.parse(str(written)) == written


def test_ids_are_those_of_the_protocol() -> None:
    """As PROTOCOL section 1 writes them."""
    assert str(ProtocolId(PartId("egotaskqa", "direct", "mcq", "paper"), "acc", "generate")) == (
        "egotaskqa/direct/mcq/paper/acc/generate"
    )
    part = PartId("qaego4d", "open", "open", "official")
    judged = ProtocolId(part, "judge_acc", "generate", judge="toy/judge", rubric="0123", control="blind")
    assert str(judged) == "qaego4d/open/open/official/judge_acc@toy%2Fjudge@0123/generate/blind"
    prior = ProtocolId(PartId("egoplan", "all", "mcq", "official"), "acc", "likelihood-sum", text_prior=1.0)
    assert (str(prior), prior.label) == ("egoplan/all/mcq/official/acc/likelihood-sum-prior1", "egoplan (official)")
    assert metric_id(part, "rouge_l") == "qaego4d/open/open/official/rouge_l"


@pytest.mark.parametrize(
    "text",
    ["", "acc", "a/b/c/d/e", "a/b/c/d/e/f/g", "a/b/c/d/acc@judge/f", "a//c/d/e/f", "a/b/c/d/e/f/blind/blind"],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no protocol id"):
        ProtocolId.parse(text)


def entry(**fields: object) -> ScoreEntry:
    required: dict[str, object] = {
        "id": ProtocolId(PartId("egoplan", "all", "mcq", "official"), "acc", "generate"),
        "n": 3, "n_expected": 4, "outcomes": {"answered": 2, "unparsed": 1}, "clusters": 2,
        "value": 0.5, "se": 0.1, "low": 0.3, "high": 0.7, "answered_only": 0.75, "problem": None,
        "chance": 0.25, "blind": 0.3, "blind_trained": None,
        "samples_sha256": "00", "orders": 1, "headline": True, "shown": True,
    }  # fmt: skip
    return ScoreEntry(**(required | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"value": None, "se": None, "low": None, "high": None, "problem": "no sample"},
        {"by": {"kind": {"state": TagScore(2, 0.5, None, None, None, 0.25)}}},
        {"gallery": GallerySize("11", 6, 5)},
        {"positions": OptionPositions((0.5, 0.5), (0.25, 0.75))},
        {"judge": JudgeCounts("toy", "0123", 7, 1, 2)},
    ],
)
def test_an_entry_is_read_as_it_was_written(fields: dict[str, object]) -> None:
    written = entry(**fields)
    assert ScoreEntry.from_json(str(written.id), written.to_json()) == written
    assert (written.partial, written.unanswered) == (True, 1)


def test_an_entry_has_only_the_keys_that_belong_to_it() -> None:
    assert {"judge", "positions", "items", "gallery"}.isdisjoint(entry().to_json())
    assert entry(problem=None).to_json()["problem"] is None
