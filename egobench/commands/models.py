"""``egobench models``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import print_rows


def models(
    name: Annotated[str | None, typer.Argument(help="A model whose options are to be explained.")] = None,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """List the models, or the options of one and what they mean.

    Example: egobench models hf
    """
    rows = model_rows(name)
    table = options_table(rows[0]) if name else models_table(rows)
    print_rows(rows, [table], choose_format(form, as_json=as_json))


def model_rows(only: str | None = None) -> list[dict[str, Any]]:
    """All models with their options, or a single one, as JSON objects; a model that cannot be imported says why.

    Raises:
        UnknownPluginError: If there is no model of the name.
    """
    from egobench.errors import EgoBenchError
    from egobench.plugins import MODELS, model_function, names

    if only is not None:
        plugin = only.partition(":")[0]
        return [_model_row(model_function(plugin), plugin)]
    rows: list[dict[str, Any]] = []
    for name in names(MODELS):
        try:
            rows.append(_model_row(model_function(name), name))
        except (EgoBenchError, ImportError) as error:
            rows.append({"name": name, "about": f"cannot be loaded: {error}", "options": {}})
    return rows


def models_table(rows: list[dict[str, Any]]) -> Table:
    """A table with one line per model; options that must be given end in ``=``."""
    table = Table(caption="What an option means: egobench models NAME", caption_justify="left")
    for column in ("model", "what it is", "options"):
        table.add_column(column, overflow="fold")
    for row in rows:
        options = [f"{key}=" if option["required"] else key for key, option in row["options"].items()]
        table.add_row(row["name"], row["about"], ", ".join(options))
    return table


def options_table(row: dict[str, Any]) -> Table:
    """A table with one line per option of a model."""
    table = Table(title=f"{row['name']}\n{row['about']}", title_justify="left")
    table.caption, table.caption_justify = "Give an option with -o name=value", "left"
    for column in ("option", "values", "default", "what it is"):
        table.add_column(column, overflow="fold")
    for key, option in row["options"].items():
        default = "must be given" if option["required"] else _plain(option["default"])
        table.add_row(key, option["type"], default, option["about"])
    return table


def option_values(hint: Any) -> str:
    """The values of an option of this type, e.g. ``integer`` or ``auto | yes | no``."""
    if get_origin(hint) is Literal:
        return " | ".join(str(value) for value in get_args(hint) if value is not None)
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if kinds:
        return " | ".join(map(option_values, kinds))
    names = {int: "integer", float: "number", str: "text", bool: "yes | no"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _model_row(load: Callable[..., object], name: str) -> dict[str, Any]:
    from docstring_parser import DocstringStyle, parse

    from egobench.plugins import argument_of

    argument, hints = argument_of(load), get_type_hints(load)
    about = (inspect.getdoc(inspect.getmodule(load)) or inspect.getdoc(load) or "").split("\n", 1)[0].replace("`", "")
    parameters = parse(inspect.getdoc(load) or "", DocstringStyle.GOOGLE).params
    explained = {parameter.arg_name: parameter.description for parameter in parameters}
    options = {
        key: {
            "type": option_values(hints.get(key, str)),
            "required": parameter.default is parameter.empty,
            "default": None if parameter.default is parameter.empty else parameter.default,
            "about": " ".join(re.sub(r":[a-z]+:`|`", "", explained.get(key) or "").split()),
        }
        for key, parameter in inspect.signature(load).parameters.items()
        if key != argument
    }
    return {"name": f"{name}:{argument.upper()}" if argument else name, "about": about, "options": options}


def _plain(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) or '""'
