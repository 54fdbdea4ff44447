"""Reading the tokenizer of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from egobench.errors import ModelError


def read_tokenizer(folder: Path) -> Any:
    """Read the tokenizer in a folder, one of the library transformers; ``None`` where there is none.

    Raises:
        ModelError: If it cannot be read.
    """
    import transformers

    library: Any = transformers
    if not any(folder.glob("tokenizer*")):
        return None
    try:
        return library.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{folder}: its tokenizer cannot be read ({reason:.300}); copy the folder again") from error
