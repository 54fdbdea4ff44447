"""``small``: the paper's stages at a size that one GPU trains in a day.

CLIP ViT-B/16 and a language model with the layers of Mistral and the sizes of TinyLlama-1.1B, 8 frames of 224 pixels.
It begins from published weights of those sizes, in the folders ``start.clip`` and ``start.mistral`` below the data.
Data: a tenth of Ego-ExoClip and EgoIT, and what captioned pairs you have. ``exo2ego train small --dry-run`` prints
memory, steps and hours for what is there.
"""

from __future__ import annotations

from reference_exo2ego.model.configuration import Exo2EgoConfig, MappingConfig
from reference_exo2ego.model.sizes import ConnectorSize, LanguageSize, LowRankConfig, VisionSize
from reference_exo2ego.training.recipe import PartsStart, Recipe, SampleFile, SampleFiles, StageRecipe

RECIPE = Recipe(
    name="small",
    about="the paper's stages with CLIP ViT-B/16 and a language model of 1.1B parameters, on one GPU",
    model=Exo2EgoConfig(
        vision=VisionSize(
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            image_size=224,
            patch_size=16,
        ),
        language=LanguageSize(
            vocab_size=32000,
            hidden_size=2048,
            intermediate_size=5632,
            num_hidden_layers=22,
            num_attention_heads=32,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            rope_theta=10000.0,
        ),
        stc=ConnectorSize(kind="stc_connector_v35", depth=2),
        mapping=MappingConfig(downsamplings=1),
        low_rank=LowRankConfig(rank=64, alpha=128),
        frames=8,
    ),
    start=PartsStart(clip="clip", mistral="language"),
    stages=(
        StageRecipe(
            name="init",
            source=SampleFiles(
                files=(
                    SampleFile(path="exo_pairs.jsonl", videos="exo_pairs", view="exo"),
                    SampleFile(path="egoclip.jsonl", videos="ego4d", view="ego", weight=0.1),
                )
            ),
            batch=256,
            micro=32,
            epochs=1.0,
            rate=1e-3,
            warmup=0.1,
        ),
        StageRecipe(
            name="stage1",
            source=SampleFiles(
                files=(SampleFile(path="ego_exo_clip.jsonl", videos="egoexo4d", view="exo", weight=0.1),)
            ),
            batch=128,
            micro=32,
            epochs=1.0,
            rate=1e-4,
        ),
        StageRecipe(
            name="stage2",
            source=SampleFiles(
                files=(SampleFile(path="ego_exo_clip.jsonl", videos="egoexo4d", view="pair", weight=0.1),)
            ),
            batch=128,
            micro=16,
            epochs=1.0,
            rate=1e-4,
        ),
        StageRecipe(
            name="stage3",
            source=SampleFiles(files=(SampleFile(path="egoit.json", videos="egoit", weight=0.1),)),
            batch=64,
            micro=16,
            epochs=1.0,
            rate=2e-5,
        ),
    ),
)
