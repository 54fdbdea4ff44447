"""Texts that hold no marks are plain already, and what is remembered by form is what is read."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as some

from egobench.replies import claims, plain_text, read_reply

ASCII = some.text(some.sampled_from("AaBbcefgivst019 -.,:;!?'\"()*_`#>+<[]\n\t$\\/"), max_size=30)


@given(ASCII)
@example("- A")
@example(" -A")
@example("e.g. a cup")
@example("the CF. is")
@example("two  blanks ")
@example("assistant A")
def test_what_holds_no_marks_is_passed_through_as_the_whole_way_would(text: str) -> None:
    assert plain_text.plain(text) == plain_text._without_marks(text)


def test_replies_of_one_form_are_read_once_for_each_place_of_the_answer() -> None:
    claims._claims_of_form.cache_clear()
    for number in range(50):
        options = [f"take cup {number}", f"open the long drawer {number}", f"wash {number}"]
        for place, option in enumerate(options):
            reading = read_reply(f"I am sure that it is: {option}", options)
            assert (reading.choice, reading.outcome) == (place, "answered")
    assert claims._claims_of_form.cache_info().misses == 3
