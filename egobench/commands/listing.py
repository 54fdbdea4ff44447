"""What is there: tasks and models, as rows and as tables."""

from __future__ import annotations

import inspect
from typing import Any

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
            "files": dict(task.source.files),
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


def list_models() -> list[dict[str, Any]]:
    """All models with their options, as JSON objects; one that cannot be imported says why."""
    return [_model(name) for name in names(MODELS)]


def models_table(rows: list[dict[str, Any]]) -> Table:
    """Models, a line each."""
    table = Table(caption="Give an option with -o name=value", caption_justify="left")
    for column in ("model", "what it is", "options"):
        table.add_column(column, overflow="fold")
    for row in rows:
        options = [
            f"{key}: {option['type']}" + ("" if option["required"] else f" = {option['default']}")
            for key, option in row["options"].items()
        ]
        table.add_row(row["name"], row["about"], "\n".join(options))
    return table


def _model(name: str) -> dict[str, Any]:
    try:
        load = model_function(name)
    except (EgoBenchError, ImportError) as error:
        return {"name": name, "about": f"cannot be loaded: {error}", "options": {}}
    argument = argument_of(load)
    module = inspect.getmodule(load)
    about = (inspect.getdoc(module) or inspect.getdoc(load) or "").split("\n", 1)[0]
    options = {
        key: {
            "type": str(parameter.annotation).replace("typing.", ""),
            "required": parameter.default is parameter.empty,
            "default": None if parameter.default is parameter.empty else parameter.default,
        }
        for key, parameter in inspect.signature(load).parameters.items()
        if key != argument
    }
    return {"name": f"{name}:{argument.upper()}" if argument else name, "about": about, "options": options}
