"""Exporting a checkpoint: it answers as before, and its card says what it is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")


@pytest.fixture
def stage3(tmp_path: Path) -> Path:
    """A random checkpoint of stage 3 with LoRA and a tokenizer."""
    from reference_exo2ego.model.checkpoint import save
    from reference_exo2ego.model.freezing import begin_stage
    from tests.models.tiny_parts import tokenizer
    from tests.reference_exo2ego.tiny_exo2ego import tiny_model

    model = tiny_model()
    begin_stage(model, "stage3")
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    words = tokenizer(["<unk>", "<s>", "</s>"], unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    save(model, tmp_path / "stage3", "stage3", tokenizer=words)
    return tmp_path / "stage3"


def cost(folder: Path, **options: Any) -> float:
    from reference_exo2ego.model.checkpoint import load
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    with torch.inference_mode():
        return float(load(folder, learner=True, **options)("stage3", batch_of("ego")).vtg)


def test_an_export_answers_as_its_checkpoint(stage3: Path, tmp_path: Path) -> None:
    from reference_exo2ego.model.export import export

    exported = export(stage3, tmp_path / "tiny")
    assert exported.merged and exported.saved.parts == ("ego_encoder", "connector", "to_exo", "language")
    assert sorted(exported.saved.files(exported.saved.parts)) == sorted((tmp_path / "tiny").rglob("*.safetensors"))
    assert cost(tmp_path / "tiny") == pytest.approx(cost(stage3), abs=1e-5)
    assert (tmp_path / "tiny" / "language" / "tokenizer.json").is_file()
    apart = export(stage3, tmp_path / "apart", merge=False, whole=True)
    assert not apart.merged and "low_rank" in apart.saved.parts and "exo_encoder" in apart.saved.parts
    assert cost(tmp_path / "apart") == pytest.approx(cost(stage3), abs=1e-6)


def test_a_half_precision_export_is_half_as_large(stage3: Path, tmp_path: Path) -> None:
    from reference_exo2ego.model.export import export

    full, half = (export(stage3, tmp_path / dtype, dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert half.saved.dtype == "bfloat16"
    sizes = [sum(file.stat().st_size for file in made.saved.files(made.saved.parts)) for made in (full, half)]
    # Headers of safetensors files are as long in either.
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.1)
    assert cost(tmp_path / "bfloat16", dtype="float32") == pytest.approx(cost(stage3), abs=0.1)


def test_the_card_has_recipe_data_licences_and_scores(stage3: Path, tmp_path: Path) -> None:
    from reference_exo2ego.model.export import export, read_card

    path = tmp_path / "card.json"
    card = {
        "name": "exo2ego-tiny",
        "recipe": {"seed": "7", "steps of stage 3": "400"},
        "weights": [["VideoLLaMA2-7B-16F", "Apache-2.0, not for commerce", "all"]],
        "data": [["Ego-Exo4D", "Ego-Exo4D licence", "261,300 narrations"]],
        "scores": [["vln-qa/all/uniform/official/acc/generate", 41.5, 25.0, 200, [34.6, 48.4]]],
    }
    path.write_text(json.dumps(card))
    export(stage3, tmp_path / "tiny", card=read_card(path))
    text = (tmp_path / "tiny" / "README.md").read_text()
    for line in (
        "# exo2ego-tiny",
        "| seed | 7 |",
        "| VideoLLaMA2-7B-16F | Apache-2.0, not for commerce | all |",
        "| Ego-Exo4D | Ego-Exo4D licence | 261,300 narrations |",
        "| vln-qa/all/uniform/official/acc/generate | 41.5 | 34.6 to 48.4 | 25.0 | 200 |",
        "* `vision.hidden_size: 16`",
        "* `mapping.width: 6`",
        # By hand: 2 x 60 x 32 + 2 x (2 x 32 x 32 + 2 x 32 x 16 + 3 x 32 x 48 + 2 x 32) + 32.
        "| `language` | 19,360 |",
    ):
        assert line in text.splitlines()
    assert text.startswith("---\nlicense: other\n")


def test_a_card_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    from reference_exo2ego.model.export import read_card

    path = tmp_path / "card.json"
    with pytest.raises(ModelError, match=r"card\.json: cannot be read"):
        read_card(path)
    path.write_text('{"name": "a", "data": [["Ego4D"]]}')
    with pytest.raises(ModelError, match=r"card\.json: data.0.*; a card has name, recipe, weights, data and scores"):
        read_card(path)


def test_the_command_prints_what_it_wrote(stage3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from reference_exo2ego.commands.export import export

    export(stage3, tmp_path / "tiny", as_json=True)
    rows = json.loads(capsys.readouterr().out)
    sizes = {
        path.relative_to(tmp_path / "tiny").parts[0]: path.stat().st_size for path in tmp_path.glob("tiny/**/*.safet*")
    }
    assert {row["part"]: row["bytes"] for row in rows} == {
        name.removesuffix(".safetensors"): size for name, size in sizes.items()
    }
    export(stage3, tmp_path / "again")
    lines = capsys.readouterr().out.splitlines()
    assert "language, LoRA merged" in " ".join(lines)
    assert (
        lines[-1]
        == f"next: egobench run exo2ego -o checkpoint={tmp_path / 'again'} --data DATA --videos VIDEOS --out RUNS"
    )
    with pytest.raises(ModelError, match="is there already"):
        export(stage3, tmp_path / "tiny")
