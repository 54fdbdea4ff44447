"""Models that are one of many, named with a colon."""

from __future__ import annotations

import pytest

from egobench.commands.models import model_rows
from egobench.errors import ModelOptionError, UnknownPluginError
from egobench.plugins import argument_of, load_model, model_function


@pytest.mark.parametrize("name", ["first-choice:a", "first-choice:"])
def test_a_model_that_stands_alone_takes_nothing_after_a_colon(name: str) -> None:
    with pytest.raises(ModelOptionError, match=f"takes nothing after a colon, found '{name}'"):
        load_model(name)


@pytest.mark.parametrize("name", ["lmms-eval", "lmms-eval:"])
def test_one_of_many_has_to_be_named(name: str) -> None:
    with pytest.raises(ModelOptionError, match="name it lmms-eval:MODEL"):
        load_model(name)


def test_what_comes_before_the_colon_is_the_plugin() -> None:
    with pytest.raises(UnknownPluginError, match="no model 'lms-eval': did you mean 'lmms-eval'"):
        load_model("lms-eval:qwen2_vl")


def test_what_comes_after_the_colon_is_no_option() -> None:
    with pytest.raises(ModelOptionError, match="has no option 'model'; its options are checkpoint"):
        load_model("lmms-eval:qwen2_vl", model="qwen2_vl")


def test_the_list_of_models_shows_the_colon() -> None:
    (row,) = [row for row in model_rows() if row["name"].startswith("lmms-eval")]
    assert row["name"] == "lmms-eval:MODEL"
    assert "model" not in row["options"]
    assert argument_of(model_function("lmms-eval")) == "model"
    assert argument_of(model_function("first-choice")) is None
