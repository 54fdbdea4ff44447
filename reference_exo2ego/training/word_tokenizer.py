"""A tokenizer of whole words, for a language model that is trained from nothing on few words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from egobench.errors import RecipeError

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
"""Tokens that are no words: those of Mistral and of Llama 2's prompts."""

WORD = r"[a-z]+|[0-9]|[^\sa-z0-9]"
"""What is a token of a text in small letters: a word, a digit, or a mark."""


def split_words(text: str) -> list[str]:
    """The words, digits and marks of a text, in small letters."""
    return re.findall(WORD, text.lower())


def word_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A tokenizer that knows the words of some texts.

    Args:
        texts: The texts.
        size: Tokens that the language model has room for; what no word takes stays unused.

    Returns:
        A tokenizer of transformers.

    Raises:
        RecipeError: If there are more words.
    """
    words = sorted({word for text in texts for word in split_words(text)})
    if len(words) + len(SPECIAL) > size:
        raise RecipeError(
            f"{len(words)} words and {len(SPECIAL)} special tokens, but model.language.vocab_size is {size}; raise it"
        )
    unused = [f"<unused-{number}>" for number in range(size - len(words) - len(SPECIAL))]
    return _tokenizer([*SPECIAL, *words, *unused])


def _tokenizer(tokens: Sequence[str]) -> Any:
    import tokenizers as _tokenizers
    import transformers as _transformers

    tokenizers: Any = _tokenizers
    transformers: Any = _transformers
    numbered = {token: number for number, token in enumerate(tokens)}
    built = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbered, unk_token="<unk>"))
    built.normalizer = tokenizers.normalizers.Lowercase()
    built.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORD), "removed", invert=True)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=built,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=list(SPECIAL[4:]),
    )
