"""``7b``: the paper's model and its Table 14, on 1 to 16 GPUs.

The 103 million exocentric pairs of its initialization are not public: ``init=published`` begins from VideoLLaMA2's
weights and leaves the initialization out. Global batches are the paper's whatever the number of GPUs; on 16 of them, a
GPU computes 8, 8, 8 and 4 clips at once.
"""

from __future__ import annotations

from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.training.recipe import PartsStart, Recipe, SampleFile, SampleFiles, StageRecipe

RECIPE = Recipe(
    name="7b",
    about="the paper: CLIP ViT-L/14 at 336 pixels twice, Mistral-7B-Instruct-v0.2, Table 14",
    model=Exo2EgoConfig(),
    start=PartsStart(),
    stages=(
        StageRecipe(
            name="init",
            source=SampleFiles(
                files=(
                    SampleFile(path="exo_pairs.jsonl", videos="exo_pairs", view="exo"),
                    SampleFile(path="egoclip.jsonl", videos="ego4d", view="ego"),
                )
            ),
            batch=512,
            micro=8,
            epochs=5.0,
            rate=1e-3,
            warmup=0.1,
        ),
        StageRecipe(
            name="stage1",
            source=SampleFiles(files=(SampleFile(path="ego_exo_clip.jsonl", videos="egoexo4d", view="exo"),)),
            batch=256,
            micro=8,
            epochs=2.0,
            rate=1e-4,
        ),
        StageRecipe(
            name="stage2",
            source=SampleFiles(files=(SampleFile(path="ego_exo_clip.jsonl", videos="egoexo4d", view="pair"),)),
            batch=256,
            micro=8,
            epochs=2.0,
            rate=1e-4,
        ),
        StageRecipe(
            name="stage3",
            source=SampleFiles(files=(SampleFile(path="egoit.json", videos="egoit"),)),
            batch=64,
            micro=8,
            epochs=1.0,
            rate=2e-5,
        ),
    ),
)
