"""The results of an ablation as a page: tables beside the paper's numbers, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from egobench.charts.amounts import AmountLine, AmountPoint, write_amounts
from egobench.charts.differences import DifferenceRow, write_differences
from egobench.errors import StoreError, bare_reason
from egobench.whole_file import replace_file

from .variants import CURVE, FULL, SINGLE

PAGE: Final = "ablations.md"
BEGIN, END = "<!-- results: written from results.json -->", "<!-- end of results -->"
"""What encloses the written part of a page."""

PAPER_STAGES: Final[Mapping[str, Sequence[float]]] = {
    "after-init": (49.2, 53.1, 35.4, 42.1, 62.3, 41.1, 35.1, 37.7, 76.3, 33.4),
    "after-stage2": (56.7, 54.4, 42.7, 47.8, 64.7, 44.8, 39.5, 41.0, 82.7, 37.7),
    FULL: (61.3, 62.1, 44.7, 50.3, 70.9, 49.7, 42.7, 44.5, 88.4, 41.2),
}
"""The paper's Table 15 in percent, in the order of :data:`PAPER_SCORES`. Its header has four stages and its rows three
values; "initial" is read as the initialization."""

PAPER_SCORES: Final = (
    "egoschema/all",
    "qaego4d/closed",
    "egotaskqa/direct",
    "egotaskqa/indirect",
    "charades-ego/all",
    "epic-kitchens-mir/all",
    "egoplan/all",
    "vln-qa/all",
    "egomcq/inter",
    "egomcq/intra",
)
"""The ten headline scores by task and subset."""


def write_report(results: Mapping[str, Any], folder: Path) -> Path:
    """Write page and pictures of an ablation into a folder.

    Args:
        results: Content of ``results.json``.
        folder: The folder.

    Raises:
        ChartError: If a picture cannot be written.
    """
    pictures = write_pictures(results, folder, prefix="")
    page = folder / PAGE
    replace_file(page, f"# Ablations of recipe {results['recipe']}\n\n{page_part(results, pictures)}\n")
    return page


class PageText(NamedTuple):
    """The rest of a page.

    Attributes:
        before: What stands before the results.
        after: What stands behind them.
    """

    before: str
    after: str


def split_page(page: Path) -> PageText:
    """Find the place for results in a page.

    Raises:
        StoreError: If the page cannot be read, or has no such place.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{page}: cannot be read ({bare_reason(error)}); expected a page with a place for results"
        ) from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise StoreError(f"{page}: no place for results; expected the lines {BEGIN!r} and {END!r}")
    return PageText(before, after)


def write_page(results: Mapping[str, Any], page: Path) -> None:
    """Write the part of a page that is the results'; the rest stays. Pictures lie beside it, in ``pictures/``.

    Args:
        results: Content of ``results.json``.
        page: The page.

    Raises:
        StoreError: If the page has no place for results.
    """
    before, after = split_page(page)
    folder = page.parent / "pictures"
    folder.mkdir(exist_ok=True)
    names = write_pictures(results, folder, prefix="ablation_")
    pictures = {name: f"pictures/{file}" for name, file in names.items()}
    replace_file(page, f"{before}{BEGIN}\n\n{page_part(results, pictures)}\n\n{END}{after}")


def write_pictures(results: Mapping[str, Any], folder: Path, *, prefix: str) -> dict[str, str]:
    """Write a picture of each table.

    Args:
        results: Content of ``results.json``.
        folder: Where to.
        prefix: What the files' names begin with.

    Returns:
        Names of the files, by name of the table.

    Raises:
        ChartError: If one cannot be written.
    """
    files: dict[str, str] = {}
    for table in results["tables"]:
        name = f"{prefix}{table['name'].replace('-', '_')}.svg"
        title = f"{table['title']}: {results['score']['name']}"
        if table["name"] == CURVE:
            lines = list(_lines(results, table))
            if lines:
                write_amounts(lines, folder / name, title=title, unit="share of the egocentric videos")
                files[table["name"]] = name
            continue
        rows = [row for row in (_drawn(row, table) for row in table["rows"]) if row.effect is not None]
        if rows:
            write_differences(rows, folder / name, title=f"{title}, minus what it is compared with")
            files[table["name"]] = name
    return files


def page_part(results: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The written part of the page.

    Args:
        results: Content of ``results.json``.
        pictures: Paths of pictures, by name of the table.
    """
    return "\n\n".join(_parts(results, pictures))


def _parts(results: Mapping[str, Any], pictures: Mapping[str, str]) -> Iterator[str]:
    questions, seeds = results["questions"], results["seeds"]
    limit = "all questions" if questions["limit"] is None else f"at most {questions['limit']} questions of each subset"
    yield (
        f"Recipe `{results['recipe']}` ({results['fingerprint']}), seeds {', '.join(map(str, seeds))}; {limit}, "
        f"{questions['asked']:,} in all, method {results['method']}. All numbers are {results['score']['name']} in "
        f"points. An interval is over source videos, for these very models: the values of a question are averaged over "
        f"seeds first. What other seeds give is the last column: each seed, and the standard deviation. "
        f"Planned to be found: {_points(questions['detectable'])} points; what a comparison could have found in "
        f"fact stands in its row."
    )
    for table in results["tables"]:
        if not table["rows"]:
            continue
        yield f"## {table['title']}"
        if table["note"]:
            yield table["note"]
        yield "\n".join(_table(results, table))
        if table["name"] in pictures:
            yield f"![{table['title']}]({pictures[table['name']]})"
        if table["name"] == "table15":
            yield "\n".join(_by_task(results))
    if results["absent"]:
        listed = "; ".join(f"`{name}`: {why}" for name, why in results["absent"].items())
        yield f"Left out: {listed}."
    yield "## What each variant is"
    yield "\n".join(_variants(results))


def _table(results: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    yield "| variant | row | paper | paper's difference | here | against | difference | detectable | by seed (SD) |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in table["rows"]:
        variant, difference = results["variants"][row["variant"]], row.get("difference")
        cells = [
            f"`{row['variant']}`",
            row["label"],
            "" if row["paper"] is None else _points(row["paper"]),
            _signed(_published(row, table)),
            _interval(_points, variant["value"], variant["low"], variant["high"]),
        ]
        if difference is None:
            cells += ["", "", "", _by_seed(variant["by_seed"], variant["seed_sd"], _points)]
        else:
            cells += [
                f"`{row['against']}`",
                _interval(_signed, difference["effect"], *_ends(difference)),
                "" if difference["detectable"] is None else _points(difference["detectable"]),
                _by_seed(row["difference_by_seed"], row["difference_sd"], _signed),
            ]
        yield "| " + " | ".join(cells) + " |"


def _by_task(results: Mapping[str, Any]) -> Iterator[str]:
    """Every task stage by stage, beside the paper's numbers."""
    stages = [name for name in ("after-init", "after-stage1", "after-stage2", FULL) if name in results["variants"]]
    yield "| score | " + " | ".join(f"`{name}`, here (paper)" for name in stages) + " |"
    yield "|---|" + "---|" * len(stages)
    for score_id in results["score"]["ids"]:
        task = "/".join(score_id.split("/")[:2])
        cells = [task]
        for name in stages:
            here = _points(results["variants"][name]["scores"][score_id])
            paper = PAPER_STAGES.get(name)
            known = paper is not None and task in PAPER_SCORES
            cells.append(f"{here} ({paper[PAPER_SCORES.index(task)]})" if paper is not None and known else here)
        yield "| " + " | ".join(cells) + " |"


def _variants(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| variant | what it is | overrides | steps | 10^12 operations | seconds of training |"
    yield "|---|---|---|---|---|---|"
    for name, variant in results["variants"].items():
        seconds = "" if variant["seconds"] is None else f"{variant['seconds']:,.0f}"
        overrides = " ".join(f"`{override}`" for override in variant["overrides"])
        steps = ", ".join(f"{stage} {count:,}" for stage, count in variant["steps"])
        operations = f"{variant['operations'] / 1e12:,.3g}"
        yield f"| `{name}` | {variant['about']} | {overrides} | {steps} | {operations} | {seconds} |"


def _lines(results: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[AmountLine]:
    for name, label in ((FULL, "two encoders"), (SINGLE, "one encoder")):
        members = [
            results["variants"][row["variant"]] for row in table["rows"] if row["variant"].partition("@")[0] == name
        ]
        points = [
            AmountPoint(variant["ego_share"], variant["value"], variant["low"], variant["high"]) for variant in members
        ]
        if points:
            yield AmountLine(label, points)


def _drawn(row: Mapping[str, Any], table: Mapping[str, Any]) -> DifferenceRow:
    difference = row.get("difference")
    if difference is None:
        return DifferenceRow(row["label"], None)
    return DifferenceRow(
        row["label"],
        difference["effect"],
        *_ends(difference),
        list(row["difference_by_seed"].values()),
        _published(row, table),
    )


def _ends(difference: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The interval of a difference; of one that no question has, as of models with the same answers, there is none."""
    same = difference["effect"] == 0 and difference["se"] == 0
    return (None, None) if same else (difference["low"], difference["high"])


def _published(row: Mapping[str, Any], table: Mapping[str, Any]) -> float | None:
    """The paper's number minus that of the row it is compared with."""
    papers = {other["variant"]: other["paper"] for other in table["rows"]}
    reference = papers.get(row["against"])
    return None if row["paper"] is None or reference is None else row["paper"] - reference


def _by_seed(values: Mapping[str, float], sd: float | None, written: Any) -> str:
    listed = ", ".join(written(value) for value in values.values())
    return listed if sd is None else f"{listed} ({_points(sd)})"


def _interval(written: Any, value: float, low: float | None, high: float | None) -> str:
    return written(value) if low is None or high is None else f"{written(value)} [{written(low)}, {written(high)}]"


def _points(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"
