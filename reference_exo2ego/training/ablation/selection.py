"""Which variants are trained and asked, and the tables in which they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from egobench.errors import RecipeError
from reference_exo2ego.training.recipe import Recipe, override

from .paper import paper_tables, paper_variants
from .variants import CURVE, FULL, OWN, SHARES, Row, Table, Variant, at_share


class Ablation(NamedTuple):
    """What is trained and asked, and how it is laid out.

    Attributes:
        variants: By name, the recipe itself first.
        tables: Tables of them.
        absent: Why a variant is not there, by its name.
    """

    variants: dict[str, Variant]
    tables: tuple[Table, ...]
    absent: dict[str, str]


def ablation_of(recipe: Recipe, shares: Sequence[float] = SHARES, own: Sequence[Variant] = ()) -> Ablation:
    """All variants of a recipe, checked.

    Args:
        recipe: The recipe.
        shares: Shares of the egocentric data of the curve.
        own: Variants that are not the paper's. Each is compared with the recipe at the same share.

    Raises:
        RecipeError: If the configuration of a variant contradicts itself.
        ValueError: If two variants have the same name, or the recipe is not trained at the share of one.
    """
    variants: dict[str, Variant] = {}
    absent: dict[str, str] = {}
    names = {stage.name for stage in recipe.trained}
    for variant in (*paper_variants(recipe, shares), *own):
        if variant.name in variants or variant.name in absent:
            raise ValueError(f"variant {variant.name}: there is one of this name already; give yours another")
        if variant.encoders == "one" and not {"init", "stage3"} <= names:
            absent[variant.name] = "one encoder is trained in the initialization and on the data of stage 3"
            continue
        try:
            varied = override(recipe, variant.overrides)
        except RecipeError as error:
            raise RecipeError(f"variant {variant.name}: {error}") from error
        if variant.overrides and varied == recipe:
            absent[variant.name] = f"the recipe itself has {' '.join(variant.overrides)}"
        else:
            variants[variant.name] = variant
    tables = [_with_rows(table, variants) for table in (*paper_tables(shares), _own_table(own, variants))]
    return Ablation(variants, tuple(filter(_compares, tables)), absent)


def leave_out(ablation: Ablation, reasons: Mapping[str, str]) -> Ablation:
    """An ablation without some variants.

    Args:
        ablation: The ablation.
        reasons: Why a variant is left out, by its name.
    """
    variants = {name: variant for name, variant in ablation.variants.items() if name not in reasons}
    tables = [_with_rows(table, variants) for table in ablation.tables]
    absent = {**ablation.absent, **{name: why for name, why in reasons.items() if name in ablation.variants}}
    return Ablation(variants, tuple(filter(_compares, tables)), absent)


def choose(ablation: Ablation, only: Iterable[str] | None) -> Ablation:
    """Some variants, with all that they are compared with.

    Args:
        ablation: All of them.
        only: Names of variants and of tables; ``None`` for all.

    Raises:
        ValueError: If there is no variant and no table of a name.
    """
    if only is None:
        return ablation
    by_table = {table.name: table for table in ablation.tables}
    names: set[str] = set()
    for name in only:
        if name in by_table:
            names |= {variant for row in by_table[name].rows for variant in (row.variant, row.against) if variant}
        elif name in ablation.variants:
            others = {row.against for table in ablation.tables for row in table.rows if row.variant == name != FULL}
            names |= {name} | {other for other in others if other}
        else:
            raise ValueError(_unknown(name, ablation))
    variants = {name: variant for name, variant in ablation.variants.items() if name in names}
    tables = [_with_rows(table, variants) for table in ablation.tables]
    return Ablation(variants, tuple(filter(_compares, tables)), ablation.absent)


def _own_table(own: Sequence[Variant], variants: Mapping[str, Variant]) -> Table:
    """Variants that are not the paper's, below the recipe at the same share of egocentric data.

    Raises:
        ValueError: If the recipe is not trained at the share of one.
    """
    rows: list[Row] = []
    for share in dict.fromkeys(variant.ego_share for variant in own):
        reference = at_share(FULL, share)
        if reference not in variants:
            names = ", ".join(variant.name for variant in own if variant.ego_share == share)
            raise ValueError(f"variant {names}: {share:g} is none of --shares, so there is nothing to compare with")
        rows.append(Row(reference, variants[reference].about, None))
        rows += [Row(variant.name, variant.about, reference) for variant in own if variant.ego_share == share]
    return Table(OWN, "Variants of your own", tuple(rows), "Each is compared with the recipe at the same share.")


def _compares(table: Table) -> bool:
    """Whether there is something to compare in a table: two rows, and two shares on the curve."""
    return len(table.rows) > (2 if table.name == CURVE else 1)


def _with_rows(table: Table, variants: Mapping[str, Variant]) -> Table:
    """A table with the rows whose variants are there, each compared with one that is."""
    rows = [row for row in table.rows if row.variant in variants]
    return table._replace(rows=tuple(row if row.against in variants else row._replace(against=None) for row in rows))


def _unknown(name: str, ablation: Ablation) -> str:
    known = [*ablation.variants, *(table.name for table in ablation.tables)]
    if name in ablation.absent:
        return f"variant {name!r} is none of this recipe: {ablation.absent[name]}; leave it out"
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no variant and no table {name!r}: {hint}there are {', '.join(known)}"
