"""Replies that a server holds to one of a few texts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

Form = Literal["structured_outputs", "guided_choice", "grammar", "regex", "json_schema"]
"""Ways to say so: vLLM's, its older one, that of llama.cpp, that of SGLang, and OpenAI's, which most servers take."""

FORMS: tuple[Form, ...] = get_args(Form)
"""In the order they are tried: first those that add no token of their own to the reply."""


def choice_fields(form: Form, texts: Sequence[str]) -> dict[str, Any]:
    """The fields of a request that hold the reply to one of these texts."""
    if form == "structured_outputs":
        return {"structured_outputs": {"choice": list(texts)}}
    if form == "guided_choice":
        return {"guided_choice": list(texts)}
    if form == "grammar":
        return {"grammar": f"root ::= {' | '.join(map(json.dumps, texts))}"}
    if form == "regex":
        return {"regex": f"({'|'.join(map(re.escape, texts))})"}
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(texts)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    }


def read_choice(form: Form, text: str) -> str:
    """The text that a reply names; the reply itself where it is in another form."""
    if form != "json_schema":
        return text
    try:
        answer = json.loads(text)["answer"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return text
    return answer if isinstance(answer, str) else text
