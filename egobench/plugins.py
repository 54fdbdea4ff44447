"""From a name to a task or a model. A plugin is imported only when it is asked for by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast, get_type_hints

from egobench.errors import BrokenPluginError, ModelOptionError, UnknownPluginError
from egobench.validation import first_fault

if TYPE_CHECKING:
    from egobench.model import Model
    from egobench.task import Task

TASKS = "egobench.tasks"
MODELS = "egobench.models"
"""Packages of our own plugins, and entry-point groups of everybody else's."""


def names(group: str) -> list[str]:
    """Names of all plugins of a group, without importing any.

    Args:
        group: :data:`TASKS` or :data:`MODELS`.

    Raises:
        UnknownPluginError: If EgoBench itself is not installed.
    """
    own = {module.name.replace("_", "-") for module in iter_modules(_folders(group)) if not module.name.startswith("_")}
    return sorted(own | {entry.name for entry in entry_points(group=group)})


def load_task(name: str) -> Task:
    """Load ``TASK`` of ``tasks/<name>.py``, or the entry point of that name.

    Raises:
        UnknownPluginError: If there is neither.
        BrokenPluginError: If there is one that is no task, or several have the name.
    """
    from egobench.task import Task  # noqa: PLC0415 - names() stays light

    task = _load(TASKS, name, "TASK")
    if not isinstance(task, Task):
        raise BrokenPluginError(f"task {name!r} is a {type(task).__name__}; its module must end in TASK = Task(...)")
    return task


def load_model(name: str, **options: object) -> Model:
    """Call ``load(**options)`` of ``models/<name>.py``, or of the entry point of that name.

    Args:
        name: The model's name. What follows a colon in it, as in ``"lmms-eval:qwen2_vl"``, is handed to the
            positional-only parameter of ``load``.
        options: Options of its ``load``; texts are converted to the types of its signature.

    Raises:
        UnknownPluginError: If there is neither.
        BrokenPluginError: If what it loads is no model, or several have the name.
        ModelOptionError: If there is no such option, or its value has another type; if a name has a colon where
            ``load`` takes nothing after one, or has none where it does.
    """
    from egobench.model import Model  # noqa: PLC0415 - names() stays light

    plugin, colon, argument = name.partition(":")
    load = model_function(plugin)
    parameter = argument_of(load)
    if colon and parameter is None:
        raise ModelOptionError(f"model {plugin!r} takes nothing after a colon, found {name!r}; call it {plugin!r}")
    if parameter is not None and not argument:
        raise ModelOptionError(f"model {plugin!r} is one of many: name it {plugin}:{parameter.upper()}")
    model = load(*([argument] if argument else []), **_typed(plugin, load, options))
    if not isinstance(model, Model):
        raise BrokenPluginError(f"model {name!r} loads a {type(model).__name__}, which has no info or no generate")
    return model


def model_function(name: str) -> Callable[..., object]:
    """The ``load`` of a model, whose signature says which options there are.

    Raises:
        UnknownPluginError: If there is no such model.
        BrokenPluginError: If its ``load`` is no function, or several have the name.
    """
    load = _load(MODELS, name, "load")
    if not inspect.isfunction(load):
        raise BrokenPluginError(f"model {name!r}: its load is a {type(load).__name__}, not a function")
    return load


def argument_of(load: Callable[..., object]) -> str | None:
    """The parameter of a model's ``load`` that is given after a colon in the model's name; ``None`` for none."""
    parameters = inspect.signature(load).parameters.values()
    return next((parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY), None)


def _folders(group: str) -> list[str]:
    spec = find_spec(group)
    if spec is None or spec.submodule_search_locations is None:
        raise UnknownPluginError(f"no package {group!r}; install EgoBench first: pip install -e .")
    return list(spec.submodule_search_locations)


def _load(group: str, name: str, attribute: str) -> object:
    _folders(group)
    kind = group.rpartition(".")[2][:-1]
    module = f"{group}.{name.replace('-', '_')}"
    built_in = name.replace("-", "_").isidentifier() and not name.startswith("_") and find_spec(module) is not None
    entries = {entry.value: entry for entry in entry_points(group=group) if _same(entry.name, name)}
    places = [f"EgoBench's own {module}"] * built_in + [_place(entry) for entry in entries.values()]
    if len(places) > 1:
        raise BrokenPluginError(
            f"{kind} {name!r} is the name of {len(places)} plugins: {' and '.join(places)}; uninstall all but one, or "
            "rename the entry point of yours"
        )
    if built_in:
        value: object = getattr(import_module(module), attribute, None)
        if value is None:
            raise BrokenPluginError(f"{module} has no {attribute}")
        return value
    for entry in entries.values():
        return cast("object", entry.load())
    known = names(group)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownPluginError(
        f"no {kind} {name!r}: {hint}there are {', '.join(known)}; "
        f"looked for a module {module!r} and an entry point of group {group!r}"
    )


def _same(name: str, other: str) -> bool:
    """Whether two names are one plugin's: a module has an underscore where its name has a hyphen."""
    return name.replace("_", "-") == other.replace("_", "-")


def _place(entry: EntryPoint) -> str:
    package = "" if entry.dist is None else f" of package {entry.dist.name}"
    return f"{entry.value}{package}"


def _typed(name: str, load: Callable[..., object], options: Mapping[str, object]) -> dict[str, object]:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - names() stays light

    parameters = {key: p for key, p in inspect.signature(load).parameters.items() if p.kind is not p.POSITIONAL_ONLY}
    hints = get_type_hints(load)
    listed = ", ".join(f"{key}: {getattr(hints.get(key), '__name__', hints.get(key))}" for key in parameters) or "none"
    typed: dict[str, object] = {}
    for key, value in options.items():
        if key not in parameters:
            raise ModelOptionError(f"model {name!r} has no option {key!r}; its options are {listed}")
        try:
            typed[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            problem = first_fault(error).problem
            raise ModelOptionError(
                f"model {name!r}, option {key!r}: {problem}, found {value!r}; options are {listed}"
            ) from error
    missing = [key for key, p in parameters.items() if p.default is p.empty and key not in typed]
    if missing:
        raise ModelOptionError(
            f"model {name!r} needs {', '.join(f'-o {key}=...' for key in missing)}; options are {listed}"
        )
    return typed
