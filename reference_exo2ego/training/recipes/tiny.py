"""The recipe ``tiny``: Exo2Ego from nothing on MiniEgo, on two processor cores.

The stage ``language`` stands for the pretrained language model of the paper: it learns to read from transcripts of the
training videos and is frozen until LoRA changes it in the last stage, as the paper's is. Mappings are residual, which a
small budget needs; the connector goes on learning with whatever reads through it.
"""

from __future__ import annotations

from reference_exo2ego.model.configuration import Exo2EgoConfig, MappingConfig, TrainTable
from reference_exo2ego.model.sizes import ConnectorSize, LanguageSize, LowRankConfig, VisionSize
from reference_exo2ego.training.question_recipe import QuestionFile, QuestionRows, RowKind, Transcripts
from reference_exo2ego.training.recipe import Recipe, StageRecipe, WordsStart

MODEL = Exo2EgoConfig(
    vision=VisionSize(
        hidden_size=96, intermediate_size=288, num_hidden_layers=4, num_attention_heads=4, image_size=96, patch_size=12,
        layer=-1,
    ),
    language=LanguageSize(
        vocab_size=320, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, rope_theta=10_000.0, tie_word_embeddings=True,
        initializer_range=128**-0.5,
    ),
    stc=ConnectorSize(kind="stc_connector_v35", depth=1),
    mapping=MappingConfig(residual=True, width=24),
    low_rank=LowRankConfig(rank=32, alpha=64, dropout=0.0),
    frames=32,
    fps=3.0,
    fit="squeeze",
    train=TrainTable(connector=("init", "stage2", "stage3")),
)  # fmt: skip

VIDEOS = "miniego/train"
PAIRS = f"{VIDEOS}/pairs"
DESCRIBE = "Which description accurately reflects the human behavior in the video?"
PERFORM = "What action am I currently performing?"
CAPTION = "Which caption best describes the action in the video?"
HANDS = "Describe what my hands do in this clip, and with which object."
NEXT = "^(Considering the progress|What will the person do next)"
WALK = "^This is a navigation video|door"
WHOLE = "^(?!Considering the progress|What will the person do next|This is a navigation video|.*door)"

COLOURS = "red|orange|yellow|green|blue|purple|white|black"
SHORT = ((r"\bthe ", ""),)
"""As EPIC-KITCHENS has captions: "take red cup from table"."""
CLASSES = ((rf"\b({COLOURS}) ", "a "), (r"\b(into|onto|out of|from) .*", r"\1 something"))
"""As Charades has classes: "taking a cup from something"."""

STEPS = (
    QuestionFile(path="egoit.jsonl", videos=VIDEOS, sources=("egoexolearn",), question=HANDS),
    QuestionFile(
        path="egoit.jsonl", videos=VIDEOS, sources=("egoexolearn",), question=CAPTION, answer="step", reword=SHORT
    ),
    QuestionFile(path="egoit.jsonl", videos=VIDEOS, sources=("something-something-v2",)),
    QuestionFile(
        path="egoit.jsonl", videos=VIDEOS, sources=("something-something-v2",), question=PERFORM, reword=CLASSES
    ),
    QuestionFile(path="clips.jsonl", videos=VIDEOS, share=0.5, question=DESCRIBE),
    QuestionFile(path="ego_pairs.jsonl", videos=PAIRS, question=DESCRIBE),
)
"""Clips of single steps, as the wearer sees them."""

FROM_OUTSIDE = (
    QuestionFile(path="clips.jsonl", videos=VIDEOS, share=0.5, view="exo", question=DESCRIBE),
    QuestionFile(path="exo_pairs.jsonl", videos=PAIRS, view="exo", question=DESCRIBE, share=0.4),
)
"""Clips of single steps, as fixed cameras see them."""

BOTH_VIEWS = (QuestionFile(path="clips.jsonl", videos=VIDEOS, view="pair", question=DESCRIBE, share=0.5),)
"""Clips of single steps, as both see them."""

CLIP = RowKind(name="clip", files=STEPS, batch=16, frames=4)
LONG = RowKind(
    name="long",
    files=(QuestionFile(path="egoit.jsonl", videos=VIDEOS, sources=("egotimeqa",), asks=WHOLE),),
    batch=2, frames=32, phases=2, narrated="Describe all actions of the video in order.", still=True, telling="events",
)  # fmt: skip
WALKS = RowKind(
    name="walk",
    files=(QuestionFile(path="egoit.jsonl", videos=VIDEOS, sources=("egotimeqa",), asks=WALK),),
    batch=8, frames=12, questions=4, telling="facts",
)  # fmt: skip
PLANS = RowKind(
    name="next",
    files=(QuestionFile(path="egoit.jsonl", videos=VIDEOS, sources=("egotimeqa",), asks=NEXT),),
    batch=4, frames=32, last=True, still=True, telling="last",
)  # fmt: skip


def _read(kind: RowKind, batch: int, questions: int = 16) -> RowKind:
    """Rows as the stage ``language`` reads them, with many questions about each."""
    return kind.model_copy(update={"batch": batch, "questions": questions, "still": False, "phases": 1})


RECIPE = Recipe(
    name="tiny",
    about="Exo2Ego from nothing on MiniEgo, two processor cores",
    model=MODEL,
    start=WordsStart(),
    stages=(
        StageRecipe(
            name="language",
            source=Transcripts(
                rows=(_read(LONG, 2), _read(CLIP, 8), _read(WALKS, 8), _read(PLANS, 4)),
                turns=(("long", "walk"), ("long", "clip"), ("long", "walk"), ("long", "next")),
                narrow=8,
                narrow_steps=720,
            ),
            batch=8, micro=8, steps=850, rate=2e-3,
        ),
        StageRecipe(
            name="init",
            source=QuestionRows(
                rows=(CLIP, RowKind(name="exo", files=FROM_OUTSIDE, batch=16, frames=4), WALKS),
                turns=(("clip",), ("exo",), ("clip",), ("walk",)),
            ),
            batch=16, micro=16, steps=560, rate=1e-3, one_encoder=True,
        ),
        StageRecipe(
            name="stage1",
            source=QuestionRows(
                rows=(RowKind(name="exo", files=FROM_OUTSIDE[:1], batch=16, frames=4),), turns=(("exo",),)
            ),
            batch=16, micro=16, steps=30, rate=3e-4,
        ),
        StageRecipe(
            name="stage2",
            source=QuestionRows(
                rows=(
                    RowKind(
                        name="pair",
                        files=BOTH_VIEWS,
                        batch=16, frames=4,
                    ),
                ),
                turns=(("pair",),),
            ),
            batch=16, micro=16, steps=70, rate=1e-3,
        ),
        StageRecipe(
            name="stage3",
            source=QuestionRows(
                rows=(CLIP, LONG, WALKS, PLANS),
                turns=(
                    ("long", "clip"), ("long", "walk"), ("long", "clip"), ("clip",),
                    ("long", "clip"), ("long", "next"), ("long", "clip"), ("clip", "walk"),
                ),
                blank=0.03,
            ),
            batch=16, micro=16, steps=400, rate=1e-3, rates={"low_rank": 2e-3},
        ),
    ),
    dtype="float32",
    checkpointing=False,
)  # fmt: skip
