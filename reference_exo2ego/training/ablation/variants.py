"""What is varied: the paper's ablations as variants of a recipe, and the rows of its tables that they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple, get_args

from egobench.errors import RecipeError
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.training.batches import TrainingStage
from reference_exo2ego.training.recipe import Recipe, override

Views = Literal["both", "ego", "exo"]
"""Whose clips are trained on: the wearer's, those of fixed cameras, or both."""

FULL: Final = "full"
SINGLE: Final = "single"
PROMPT: Final = "first_person"
"""The prompt that models are asked with, and that rows of questions are trained with."""

SHARES: Final = (1.0, 0.3, 0.1, 0.03)
"""Shares of the egocentric data of the curve. The paper's ratio of egocentric to exocentric pairs is 0.037."""

CURVE: Final = "ego-share"
"""The table that is drawn as a curve."""

PAPER: Final = "arXiv 2503.09143v1"
LATER: Final = "AAAI-26 version, by a summary of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way to train and to ask.

    Attributes:
        name: Its name.
        about: What is different from the recipe.
        overrides: Dotted overrides of the recipe.
        encoders: The paper's two, or one for all clips: the same language model and connector, no F and no G.
        pretrained: Whose captions one encoder is trained on.
        finetuned: Whose questions it is trained on.
        ego_share: Share of the egocentric videos that there are, in (0, 1].
        ends: The last stage that is trained; ``None`` for the recipe's last.
        prompt: The prompt that it is asked with.
    """

    name: str
    about: str
    overrides: tuple[str, ...] = ()
    encoders: Literal["two", "one"] = "two"
    pretrained: Views = "both"
    finetuned: Views = "ego"
    ego_share: float = 1.0
    ends: TrainingStage | None = None
    prompt: str = PROMPT


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        variant: The variant.
        label: What the paper calls it, or what it is.
        against: The variant that it is compared with; ``None`` for the table's reference.
        paper: The paper's mean of ten scores, in [0, 1]; ``None`` where it has none.
        source: Where that is from.
    """

    variant: str
    label: str
    against: str | None = FULL
    paper: float | None = None
    source: str = PAPER


class Table(NamedTuple):
    """Rows that are compared.

    Attributes:
        name: Its name on the command line.
        title: What it is about.
        rows: The rows.
        note: What has to be known to read it.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""


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


def ablation_of(recipe: Recipe, shares: Sequence[float] = SHARES) -> Ablation:
    """All variants of a recipe, checked.

    Args:
        recipe: The recipe.
        shares: Shares of the egocentric data of the curve.

    Raises:
        RecipeError: If the configuration of a variant contradicts itself.
    """
    variants: dict[str, Variant] = {}
    absent: dict[str, str] = {}
    names = {stage.name for stage in recipe.trained}
    for variant in _all(recipe, shares):
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
    tables = [_with_rows(table, variants) for table in _tables(shares)]
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


def _all(recipe: Recipe, shares: Sequence[float]) -> Iterable[Variant]:
    yield Variant(name=FULL, about="the recipe")
    yield from _parts(recipe)
    yield Variant(name=SINGLE, about="one encoder, the same data, as many operations", encoders="one")
    yield from _grid()
    for stage in recipe.trained[:-1]:
        if stage.name != "language":
            yield Variant(name=f"after-{stage.name}", about=f"the checkpoint of {stage.name}", ends=stage.name)
    yield Variant(name="prompt-base", about="the plain prompt", prompt="base")
    yield Variant(name="prompt-task", about="the prompt with details of the task", prompt="task")
    for share in shares:
        if share < 1:
            about = f"{100 * share:g} % of the egocentric videos"
            yield Variant(name=f"{FULL}@{share:g}", about=about, ego_share=share)
            yield Variant(name=f"{SINGLE}@{share:g}", about=f"one encoder, {about}", encoders="one", ego_share=share)


def _parts(recipe: Recipe) -> Iterable[Variant]:
    model, train = recipe.model, recipe.model.train
    names = {stage.name for stage in recipe.trained}
    if "stage3" in names:
        yield Variant(name="without-lora", about="no LoRA", overrides=("model.train.low_rank=[]",))
    if "stage2" in names:
        yield Variant(name="forward-cycle", about="of the cycles only x to G(F(x))", overrides=("model.ccl=forward",))
        yield Variant(name="without-g", about="no G and no cycle consistency", overrides=("model.ccl=none",))
        yield Variant(name="without-kl", about="no divergence", overrides=("model.kl=off",))
        for kind in _readings(model):
            yield Variant(name=f"kl-{kind}", about=f"the divergence read as {kind}", overrides=(f"model.kl={kind}",))
        fully = Variant(name="fully-connected", about="mappings of linear layers", overrides=("model.mapping.kind=fc",))
        yield fully
        both = json.dumps(list(dict.fromkeys([*train.exo_encoder, "stage2"])))
        yield Variant(
            name="exo-trained", about="both encoders train in stage 2", overrides=(f"model.train.exo_encoder={both}",)
        )
    if "stage3" in names:
        frozen = json.dumps([stage for stage in train.ego_encoder if stage != "stage3"])
        yield Variant(
            name="ego-frozen",
            about="the learner is frozen in stage 3",
            overrides=(f"model.train.ego_encoder={frozen}",),
        )


def _readings(model: Exo2EgoConfig) -> Iterable[str]:
    kinds = get_args(Exo2EgoConfig.model_fields["kl"].annotation)
    return [kind for kind in kinds if kind not in {"off", model.kl}]


def _grid() -> Iterable[Variant]:
    """One encoder, every way to pre-train and to fine-tune it of Table 9."""
    views: tuple[tuple[Views, Views], ...] = tuple(
        (pretrained, finetuned) for pretrained in ("exo", "ego") for finetuned in ("exo", "both", "ego")
    )
    for pretrained, finetuned in views:
        yield Variant(
            name=f"{SINGLE}-{pretrained}-{finetuned}",
            about=f"one encoder, captions of {pretrained}, questions of {finetuned}",
            encoders="one",
            pretrained=pretrained,
            finetuned=finetuned,
        )


def _tables(shares: Sequence[float]) -> Iterable[Table]:
    table7 = f"{PAPER}, Table 7"
    yield Table(
        "table7",
        "Parts of the framework (Table 7)",
        (
            Row(FULL, "all", None, 0.556, table7),
            Row("without-lora", "without LoRA", FULL, 0.532, table7),
            Row("forward-cycle", "forward cycle only", FULL, 0.549, LATER),
            Row("without-g", "without G and CCL", FULL, 0.544, table7),
            Row("without-kl", "without KL", FULL, 0.514, table7),
            Row("fully-connected", "fully connected mappings", FULL, 0.547, table7),
            *(Row(f"kl-{kind}", f"KL read as {kind}") for kind in ("categorical", "gaussian", "output")),
        ),
        "The paper names its divergence and gives no formula; each reading of it is a row.",
    )
    table8 = f"{PAPER}, Table 8"
    yield Table(
        "table8",
        "What trains (Table 8)",
        (
            Row(FULL, "stage 2 ego, stage 3 ego", None, 0.556, table8),
            Row("exo-trained", "stage 2 both encoders", FULL, 0.549, table8),
            Row("ego-frozen", "stage 3 frozen encoder", FULL, 0.525, table8),
        ),
    )
    yield _table9()
    yield _table15()
    table16 = f"{PAPER}, Table 16"
    yield Table(
        "table16",
        "Prompts (Table 16)",
        (
            Row(FULL, "first person", None, 0.556, table16),
            Row("prompt-task", "details of the task", FULL, 0.552, table16),
            Row("prompt-base", "plain", FULL, 0.545, table16),
        ),
        "One checkpoint, asked with three prompts.",
    )
    rows = [
        Row(
            name if share == 1 else f"{name}@{share:g}",
            label,
            against if share == 1 or not against else f"{FULL}@{share:g}",
        )
        for share in sorted(shares, reverse=True)
        for name, label, against in (
            (FULL, f"two encoders, {100 * share:g} % ego", None),
            (SINGLE, f"one encoder, {100 * share:g} % ego", FULL),
        )
    ]
    yield Table(
        CURVE,
        "Scarce egocentric data",
        tuple(rows),
        "Exocentric data stay; egocentric videos are thinned, in pairs and questions too. The number of steps stays.",
    )


def _table9() -> Table:
    source = f"{PAPER}, Table 9; its check marks are lost, rows as its text reads"
    return Table(
        "table9",
        "Data (Table 9): one encoder, pre-training x fine-tuning",
        (
            Row(FULL, "Exo2Ego", None, 0.556, source),
            Row("single-exo-exo", "exo, exo", FULL, 0.389, source),
            Row("single-exo-both", "exo, both", FULL, 0.412, source),
            Row("single-exo-ego", "exo, ego", FULL),
            Row("single-ego-exo", "ego, exo", FULL),
            Row("single-ego-both", "ego, both", FULL, 0.487, source),
            Row("single-ego-ego", "ego, ego: no exocentric data", FULL, 0.491, source),
            Row(SINGLE, "both, ego: the data of Exo2Ego", FULL),
        ),
        "All at the same cost, counted in operations of each phase.",
    )


def _table15() -> Table:
    source = f"mean of the ten scores of {PAPER}, Table 15"
    return Table(
        "table15",
        "Stage by stage (Table 15)",
        (
            Row("after-init", "initial", None, 0.4657, source),
            Row("after-stage1", "stage 1", "after-init"),
            Row("after-stage2", "stage 2", "after-stage1", 0.512, source),
            Row(FULL, "stage 3", "after-stage2", 0.5558, source),
        ),
        "Each stage is compared with the one before it. After stage 1 the model still answers by the learner of the "
        "initialization.",
    )
