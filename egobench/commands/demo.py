"""``egobench demo``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from egobench.commands.arguments import AsJson
from egobench.commands.build import with_blind_figures
from egobench.commands.console import console, note, print_json
from egobench.commands.miniego import make_world
from egobench.errors import EgoBenchError, install_command

if TYPE_CHECKING:
    from egobench.dataset.sampleset import SampleSet
    from egobench.evaluate import Result

BUILT_IN: dict[str, dict[str, object]] = {"first-choice": {}, "random": {"frames": 16}, "text-prior": {}}
"""The demo's models. The random model is shown the frames of every clip, so that the whole path is walked."""

TRAINED = "exo2ego"
"""A model that has learnt: the tiny Exo2Ego that comes with the package. It needs torch."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier demo there is gone on with.")],
    as_json: AsJson = False,
) -> None:
    """Generate MiniEgo, evaluate the built-in models and a tiny Exo2Ego on all eight tasks, build their site, offline.

    Example: egobench demo --out demo
    """
    from egobench.commands.tables import comparison_rows, comparison_table

    world, data, runs = out / "miniego", out / "data", out / "runs"
    if not (world / "log.jsonl").is_file():
        note(f"1/4 generating MiniEgo in {world}")
        make_whole_world(world)
    note(f"2/4 building sample sets in {data}")
    sets = _build_headline_sets(world / "annotations", data)
    models = dict(BUILT_IN)
    if _can_load_trained():
        models[TRAINED] = {"dtype": "float32"}  # Most processors compute in bfloat16 more slowly.
    else:
        note(f"without torch and transformers {TRAINED} is left out; {install_command('models')}")
    note(f"3/4 running {', '.join(models)} in {runs}")
    results = {name: _run(name, options, sets, out) for name, options in models.items()}
    scores = {name: result.scores for name, result in results.items()}
    paths = {name: str(result.path) for name, result in results.items()}
    note(f"4/4 building the site in {out / 'site'}")
    page = str(_build_site([result.path for result in results.values()], out))
    if as_json:
        print_json({"rows": comparison_rows(scores), "runs": paths, "site": page})
        return
    terminal = console()
    terminal.print(comparison_table(scores, "Eight tasks of MiniEgo"))
    for name, path in paths.items():
        method = " (likelihood of the options)" if name == TRAINED else ""
        terminal.print(f"{name}{method}: {path}", soft_wrap=True)
    terminal.print(f"videos and annotations: {world}; sample sets: {data}", soft_wrap=True)
    terminal.print(f"open the leaderboard, and every sample, in a browser: {page}", soft_wrap=True)


def make_whole_world(world: Path) -> None:
    """Generate MiniEgo in a folder that appears once it is whole: an interrupted demo begins it anew.

    Raises:
        EgoBenchError: If the folder is there, or cannot be written.
    """
    if world.exists():
        raise EgoBenchError(f"{world} holds no whole MiniEgo; delete it, or choose another --out")
    world.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".miniego-", dir=world.parent) as scratch:
        make_world(Path(scratch) / "world")
        (Path(scratch) / "world").rename(world)


def _build_headline_sets(annotations: Path, data: Path) -> list[SampleSet]:
    from egobench.annotations import Annotations
    from egobench.dataset.build import build
    from egobench.embedding import SentenceEmbedder, VectorStore
    from egobench.plugins import TASKS, load_task, names

    embedder = SentenceEmbedder(store=VectorStore.shared())
    sets: list[SampleSet] = []
    for task in map(load_task, names(TASKS)):
        sample_set = build(task, Annotations(annotations / task.name), embedder, construction=task.headline)
        sample_set = with_blind_figures(sample_set, embedder)
        sample_set.write(data)
        sets.append(sample_set)
    return sets


def _build_site(runs: list[Path], out: Path) -> Path:
    """The site of the demo's own runs. All texts are shown: nobody holds rights in a generated world."""
    from egobench.commands.progress import ProgressObserver
    from egobench.leaderboard.site.publish import publish

    title = "EgoBench on MiniEgo"
    with ProgressObserver() as observer:
        return publish(runs, out / "site", data=out / "data", title=title, samples="all", observer=observer)


def _run(name: str, options: dict[str, object], sets: list[SampleSet], out: Path) -> Result:
    from egobench.commands.progress import ProgressObserver
    from egobench.evaluate import evaluate
    from egobench.plugins import load_model
    from egobench.run.environment import environment
    from egobench.run.spec import Settings

    recorded = {"data": str((out / "data").resolve()), **environment()}
    videos, runs = out / "miniego" / "videos", out / "runs"
    with ProgressObserver() as observer:
        model = load_model(name, **options)
        # A small model writes no replies that can be read; what it finds likely can be asked.
        settings = Settings(method="likelihood-sum" if name == TRAINED else "generate")
        return evaluate(model, sets, videos, runs, settings, observer=observer, recorded=recorded)


def _can_load_trained() -> bool:
    return all(find_spec(library) is not None for library in ("torch", "transformers"))
