"""Words with a place for a video: where everything comes to stand, and questions packed behind one video."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")


def numbers(ids: Any) -> Any:
    """Embeds a token as its own number."""
    return ids[:, :, None].float()


def test_the_video_stands_where_the_words_leave_room() -> None:
    from reference_exo2ego.model.words import IGNORED, Question, pack, splice

    words = pack([([1, 2], [Question([3], [4, 5])]), ([], [Question([6], [7])])])
    video = torch.tensor([[[100.0], [101.0], [102.0]], [[200.0], [201.0], [202.0]]])
    spliced = splice(words, numbers, video)
    assert spliced.inputs[:, :, 0].tolist() == [
        [1, 2, 100, 101, 102, 3, 4, 5],
        [200, 201, 202, 6, 7, 0, 0, 0],
    ]
    assert spliced.labels.tolist() == [
        [IGNORED] * 6 + [4, 5],
        [IGNORED] * 4 + [7] + [IGNORED] * 3,
    ]
    assert spliced.mask is None and spliced.positions is None


def test_packed_questions_see_the_video_and_themselves() -> None:
    from reference_exo2ego.model.words import Question, pack, splice

    words = pack([([1], [Question([2], [3]), Question([4, 5], [6])]), ([1], [Question([7], [8])])])
    spliced: Any = splice(words, numbers, torch.zeros(2, 2, 1))
    # 1, video, video | 2, 3 | 4, 5, 6: each question counts on from the video.
    assert spliced.positions[0].tolist() == [0, 1, 2, 3, 4, 3, 4, 5]
    sees = (spliced.mask[0, 0] == 0).int().tolist()
    assert sees == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 1, 0, 0],
        [1, 1, 1, 0, 0, 1, 1, 0],
        [1, 1, 1, 0, 0, 1, 1, 1],
    ]


def test_packed_questions_cost_what_they_cost_alone() -> None:
    from reference_exo2ego.model.exo2ego import ClipInputs
    from reference_exo2ego.model.words import Question, pack
    from tests.reference_exo2ego.tiny_exo2ego import clips, tiny_model

    model, video = tiny_model(), clips(count=1)
    questions = [Question([6, 7], [8, 9, 2]), Question([11], [12, 2]), Question([13, 14, 15], [16, 2])]
    with torch.inference_mode():
        packed = model("stage3", ClipInputs(pack([([1, 5], questions)]), ego=video))
        alone = [model("stage3", ClipInputs(pack([([1, 5], [question])]), ego=video)) for question in questions]
    assert packed.tokens == 7
    expected = sum(float(losses.vtg) * losses.tokens for losses in alone) / 7
    assert float(packed.vtg) == pytest.approx(expected, abs=1e-5)


def test_a_batch_costs_what_its_rows_cost() -> None:
    from reference_exo2ego.model.exo2ego import ClipInputs
    from reference_exo2ego.model.words import Question, pack
    from tests.reference_exo2ego.tiny_exo2ego import clips, tiny_model

    model, video = tiny_model(), clips(count=2)
    rows: Any = [([1, 5], [Question([6, 7], [8, 9, 2])]), ([1], [Question([7], [8, 2])])]
    with torch.inference_mode():
        both = model("stage3", ClipInputs(pack(rows), ego=video))
        alone = [model("stage3", ClipInputs(pack([row]), ego=video[[number]])) for number, row in enumerate(rows)]
    expected = sum(float(losses.vtg) * losses.tokens for losses in alone) / both.tokens
    assert float(both.vtg) == pytest.approx(expected, abs=1e-5)


def test_words_that_cannot_be_laid_out_are_wrong_arguments() -> None:
    from reference_exo2ego.model.exo2ego import ClipInputs
    from reference_exo2ego.model.words import IGNORED, Question, Words, pack, splice
    from tests.reference_exo2ego.tiny_exo2ego import clips, tiny_model

    with pytest.raises(ValueError, match="a row of words without a question"):
        pack([([1], [])])
    with pytest.raises(ValueError, match="a further question about a video without a prompt"):
        pack([([1], [Question([2], [3]), Question([], [4])])])
    plain = torch.tensor([[1, 2]])
    with pytest.raises(ValueError, match="one place for a video in every row"):
        splice(Words(plain, plain), numbers, torch.zeros(1, 1, 1))
    silent = pack([([1], [Question([2], [])])])
    assert silent.labels.eq(IGNORED).all()
    with pytest.raises(ValueError, match="clips without a token to predict"):
        tiny_model()("stage3", ClipInputs(silent, ego=clips(count=1)))
