"""Sealed replies: they are restored to the letter, and repeat nothing until they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egobench.errors import BundleError
from egobench.leaderboard.sealing import holds_copy, seal, unseal

TEXTS = {
    "A": "picks up the knife",
    "B": "opens the fridge, slowly.",
    "C": "Stop",
    "Q": "What does the person do next in the kitchen?",
}
PIECES = st.sampled_from([
    *TEXTS.values(), "PICKS UP THE KNIFE", "Opens the Fridge; slowly", "stop", "What does the person do", "(B)", " ",
    ". ", "\u27e6", "\u27e7", "\u27e6A\u27e7", "pIcKs", "the", "\u0130", "\x1b[31m", "\u202e", "case=1", "\n", "knife",
])  # fmt: skip
OPEN, CLOSE = "\u27e6", "\u27e7"


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_every_reply_is_restored_to_the_letter(reply: str) -> None:
    sealed = seal(reply, TEXTS)
    assert unseal(sealed, TEXTS) == reply
    assert not holds_copy(sealed, TEXTS)


@pytest.mark.parametrize(
    ("reply", "sealed"),
    [
        ("B. opens the fridge, slowly.", f"B. {OPEN}B{CLOSE}."),
        ("(A) Picks up the knife!", f"(A) {OPEN}A case=1,0,0,0{CLOSE}!"),
        ("opens the fridge slowly", f"{OPEN}B gaps=%20,%20,%20{CLOSE}"),
        ("You ask what does the person do?", f"You ask {OPEN}Q 0-5 case=0,0,0,0,0{CLOSE}?"),
        ("picks up the", "picks up the"),
        ("The person stops", "The person stops"),
        (f"{OPEN}A{CLOSE}", f"{OPEN}{OPEN}{CLOSE}A{CLOSE}"),
        ("", ""),
    ],
)
def test_what_is_sealed(reply: str, sealed: str) -> None:
    assert seal(reply, TEXTS) == sealed


@pytest.mark.parametrize("body", ["Z", "A 0-5", "A 3-2", "A case=1", "A case=zz", "A gaps=,", "", "A 0-1 case=1,1",
                                  f"A {'9' * 4000}-{'9' * 4000}"])  # fmt: skip
def test_a_reference_that_leads_nowhere_is_refused(body: str) -> None:
    with pytest.raises(BundleError):
        unseal(f"{OPEN}{body}{CLOSE}", TEXTS)


def test_a_bomb_of_references_is_refused() -> None:
    with pytest.raises(BundleError, match="repeats more than"):
        unseal(f"{OPEN}A{CLOSE}" * 100, {"A": "word " * 10_000})


@pytest.mark.parametrize("text", ["A: picks up the knife", "PICKS, UP; THE KNIFE", "does the person do next", "stop"])
def test_a_copy_outside_of_references_is_found(text: str) -> None:
    assert holds_copy(text, TEXTS)
    assert holds_copy(f"{OPEN}A{CLOSE} {text}", TEXTS)
