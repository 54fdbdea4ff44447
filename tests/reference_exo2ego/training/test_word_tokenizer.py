"""Words as stems and endings."""

from __future__ import annotations

import pytest

from egobench.errors import RecipeError

pytest.importorskip("transformers")

from reference_exo2ego.training.word_tokenizer import split_words, stems_of, word_tokenizer

TEXTS = ("take takes taking", "wash washes washing the machine", "put puts putting", "the red cup is a cup")


def test_texts_are_words_digits_and_marks() -> None:
    assert split_words("Where's the Cup-2?") == ["where", "'", "s", "the", "cup", "-", "2", "?"]


def test_forms_of_a_verb_share_their_stem() -> None:
    stems = stems_of(word for text in TEXTS for word in split_words(text))
    assert {word: stems[word] for word in ("take", "takes", "taking")} == {
        "take": ("tak", "e"),
        "takes": ("tak", "es"),
        "taking": ("tak", "ing"),
    }
    assert stems["putting"] == ("put", "ting")


def test_a_word_without_another_form_stays_whole() -> None:
    assert not {"cup", "machine", "the", "is"} & stems_of(split_words("the machine is a cup cups")).keys()


def test_text_survives_the_tokenizer() -> None:
    tokenizer = word_tokenizer(TEXTS, 64)
    ids = tokenizer("washing the red cup", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["wash", "##ing", "the", "red", "cup"]
    assert tokenizer.decode(ids) == "washing the red cup"
    assert len(tokenizer) == 64


def test_marks_of_the_prompt_are_single_tokens() -> None:
    ids = word_tokenizer(TEXTS, 64)("<s>[INST] <<SYS>>\nput\n<</SYS>>\n\n[/INST]", add_special_tokens=False)[
        "input_ids"
    ]
    assert ids[:3] == [1, 4, 6]
    assert ids[-2:] == [7, 5]


def test_more_words_than_room_are_refused() -> None:
    with pytest.raises(RecipeError, match="vocab_size is 10"):
        word_tokenizer(TEXTS, 10)
