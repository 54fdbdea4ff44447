"""What is there: tasks and models, as rows and as tables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import DocstringStyle, parse
from rich.table import Table

from egobench.errors import EgoBenchError
from egobench.plugins import MODELS, TASKS, argument_of, load_task, model_function, names


def list_tasks() -> list[dict[str, Any]]:
    """All tasks, as JSON objects."""
    return [
        {
            "name": task.name,
            "version": task.version,
            "skill": task.skill,
            "subsets": {subset.name: [subset.headline, *subset.beside] for subset in task.subsets},
            "constructions": [*task.constructions, *task.galleries],
            "cluster": task.cluster,
            "files": {name: file.content for name, file in task.source.files.items()},
            "videos": task.source.videos,
            "paper": task.source.paper,
            "home": task.source.home,
            "licence": task.source.licence,
        }
        for task in map(load_task, names(TASKS))
    ]


def tasks_table(rows: list[dict[str, Any]]) -> Table:
    """Tasks, a line each."""
    table = Table(caption="Annotation files, names of videos, licences: egobench tasks --json", caption_justify="left")
    for column in ("task", "skill", "subsets: numbers", "constructions", "clusters"):
        table.add_column(column, overflow="fold")
    for row in rows:
        subsets = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in row["subsets"].items())
        table.add_row(row["name"], row["skill"], subsets, ", ".join(row["constructions"]), row["cluster"])
    return table


def list_models(only: str | None = None) -> list[dict[str, Any]]:
    """All models with their options, or one, as JSON objects; one of many that cannot be imported says why.

    Raises:
        UnknownPluginError: If there is no model of the one name asked for.
    """
    if only is not None:
        return [_model(model_function(only.partition(":")[0]), only.partition(":")[0])]
    rows: list[dict[str, Any]] = []
    for name in names(MODELS):
        try:
            rows.append(_model(model_function(name), name))
        except (EgoBenchError, ImportError) as error:
            rows.append({"name": name, "about": f"cannot be loaded: {error}", "options": {}})
    return rows


def models_table(rows: list[dict[str, Any]]) -> Table:
    """Models, a line each, with the names of their options; those that must be given come with a ``=``."""
    table = Table(caption="What an option means: egobench models NAME", caption_justify="left")
    for column in ("model", "what it is", "options"):
        table.add_column(column, overflow="fold")
    for row in rows:
        options = [f"{key}=" if option["required"] else key for key, option in row["options"].items()]
        table.add_row(row["name"], row["about"], ", ".join(options))
    return table


def options_table(row: dict[str, Any]) -> Table:
    """Options of one model, a line each."""
    table = Table(title=f"{row['name']}\n{row['about']}", title_justify="left")
    table.caption, table.caption_justify = "Give an option with -o name=value", "left"
    for column in ("option", "values", "default", "what it is"):
        table.add_column(column, overflow="fold")
    for key, option in row["options"].items():
        default = "must be given" if option["required"] else _plain(option["default"])
        table.add_row(key, option["type"], default, option["about"])
    return table


def _model(load: Callable[..., object], name: str) -> dict[str, Any]:
    argument, hints = argument_of(load), get_type_hints(load)
    about = (inspect.getdoc(inspect.getmodule(load)) or inspect.getdoc(load) or "").split("\n", 1)[0]
    told = {each.arg_name: each.description for each in parse(inspect.getdoc(load) or "", DocstringStyle.GOOGLE).params}
    options = {
        key: {
            "type": _values(hints.get(key, str)),
            "required": parameter.default is parameter.empty,
            "default": None if parameter.default is parameter.empty else parameter.default,
            "about": " ".join(re.sub(r":[a-z]+:`|`", "", told.get(key) or "").split()),
        }
        for key, parameter in inspect.signature(load).parameters.items()
        if key != argument
    }
    return {"name": f"{name}:{argument.upper()}" if argument else name, "about": about, "options": options}


def _values(hint: Any) -> str:
    """What may be given for an option of this type: ``integer``, ``auto | yes | no``."""
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    given = [each for each in get_args(hint) or (hint,) if each is not NoneType]
    named = {int: "integer", float: "number", str: "text", bool: "yes | no"}
    return " | ".join(named.get(each, getattr(each, "__name__", str(each))) for each in given)


def _plain(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) or '""'
