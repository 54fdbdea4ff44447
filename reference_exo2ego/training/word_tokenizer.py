"""A tokenizer of whole words, for a language model that is trained from nothing on few words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from egobench.errors import RecipeError

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
"""Tokens that are no words: those of Mistral and of Llama 2's prompts."""

WORD = r"[a-z]+|[0-9]|[^\sa-z0-9]"
"""A regular expression of the units of a text in small letters: words, digits, marks."""

ENDINGS = ("", "e", "s", "es", "ed", "ing", "ting", "ring")
"""Endings of forms of one verb."""

SHORTEST = 3
"""Fewest letters of a stem."""

CONTINUED = "##"
"""Prefix of a token that is an ending."""


def split_words(text: str) -> list[str]:
    """Split a text into words, digits and marks, in small letters."""
    return re.findall(WORD, text.lower())


def stems_of(words: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Split forms of one verb into stem and ending: ``"takes"`` is ``("tak", "es")`` beside ``"taking"``.

    Forms of a verb share a token so that a model can find a word again in another form.

    Args:
        words: All words; those without another form are left out.
    """
    known = sorted(set(words))
    forms: dict[str, dict[str, str]] = {}
    for word in known:
        for ending in ENDINGS:
            stem = word.removesuffix(ending)
            if word.isalpha() and word.endswith(ending) and len(stem) >= SHORTEST:
                forms.setdefault(stem, {})[word] = ending
    verbs = {
        stem: endings for stem, endings in forms.items() if any(ending.endswith("ing") for ending in endings.values())
    }
    split: dict[str, tuple[str, str]] = {}
    for stem, endings in sorted(verbs.items(), key=lambda verb: (-len(verb[1]), verb[0])):
        if len(endings) > 1:
            for word, ending in endings.items():
                split.setdefault(word, (stem, ending))
    return split


def word_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Make a tokenizer of the words of some texts, with forms of a verb as stem and ending.

    Args:
        texts: The texts.
        size: Number of tokens of the language model; those that no word takes stay unused.

    Returns:
        A tokenizer of the library transformers.

    Raises:
        RecipeError: If there are more words.
    """
    words = sorted({word for text in set(texts) for word in split_words(text)})
    stems = stems_of(words)
    pieces = {piece for word in words for piece in _pieces(word, stems)}
    tokens = [*SPECIAL, *sorted(pieces)]
    if len(tokens) > size:
        raise RecipeError(f"{len(tokens)} words and special tokens, but model.language.vocab_size is {size}; raise it")
    return _tokenizer([*tokens, *(f"<unused-{number}>" for number in range(size - len(tokens)))])


def _pieces(word: str, stems: Mapping[str, tuple[str, str]]) -> list[str]:
    stem, ending = stems.get(word, (word, ""))
    return [stem, f"{CONTINUED}{ending}"] if ending else [stem]


def _tokenizer(tokens: Sequence[str]) -> Any:
    import tokenizers as _tokenizers
    import transformers as _transformers

    tokenizers: Any = _tokenizers
    transformers: Any = _transformers
    numbered = {token: number for number, token in enumerate(tokens)}
    pad, begin, end, unknown, *marks = SPECIAL
    model = tokenizers.models.WordPiece(numbered, unk_token=unknown, continuing_subword_prefix=CONTINUED)
    built = tokenizers.Tokenizer(model)
    built.normalizer = tokenizers.normalizers.Lowercase()
    built.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORD), "removed", invert=True)
    built.decoder = tokenizers.decoders.WordPiece(prefix=CONTINUED, cleanup=True)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=built,
        bos_token=begin,
        eos_token=end,
        unk_token=unknown,
        pad_token=pad,
        additional_special_tokens=marks,
    )
