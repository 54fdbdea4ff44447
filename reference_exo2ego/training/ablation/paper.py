"""The paper's ablations: variants of a recipe, and the rows of Tables 7, 8, 9, 15 and 16 that they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, get_args

from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.training.recipe import Recipe

from .variants import CURVE, FULL, PAPER, SINGLE, Row, Table, Variant, Views, at_share

LATER: Final = "AAAI-26 version, by a summary of it"


def paper_variants(recipe: Recipe, shares: Sequence[float]) -> Iterable[Variant]:
    """Yield the recipe and the variants of it that the paper's tables and the curve over shares compare.

    Args:
        recipe: The recipe.
        shares: Shares of the egocentric data of the curve, in (0, 1].
    """
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
            yield Variant(name=at_share(FULL, share), about=about, ego_share=share)
            yield Variant(name=at_share(SINGLE, share), about=f"one encoder, {about}", encoders="one", ego_share=share)


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


def paper_tables(shares: Sequence[float]) -> Iterable[Table]:
    """Yield the paper's tables and the curve over shares, with the paper's numbers.

    Args:
        shares: Shares of the egocentric data of the curve, in (0, 1].
    """
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
        Row(at_share(name, share), label, at_share(against, share) if against else None)
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
