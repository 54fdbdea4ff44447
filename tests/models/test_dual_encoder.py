"""Dual encoders, on tiny random checkpoints of the real classes with real processors and tokenizers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from egobench.errors import ModelError, ModelMemoryError, ModelOptionError  # noqa: E402
from egobench.model import Encoder, Prompt, ScoresOptions  # noqa: E402
from egobench.plugins import load_model  # noqa: E402
from tests.models.prompts import ask  # noqa: E402
from tests.models.tiny_dual_encoders import CONTEXT, FAMILIES, FRAMES, SENTENCES, transformers  # noqa: E402
from tests.models.tiny_qwen import qwen2_vl  # noqa: E402

IMAGES = ("clip", "siglip", "siglip2")
TEXTS = ("take plate", "cut an onion", "Turn left and move forward", "the red mug")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda family: FAMILIES[family](tmp_path_factory.mktemp(family) / family))


def loaded(folder: Path, **options: object) -> Any:
    return load_model("dual-encoder", checkpoint=str(folder), device="cpu", **options)


def clip(seed: int, *, options: tuple[str, ...] = TEXTS, count: int = FRAMES) -> Prompt:
    """A prompt whose frames are noise around a colour of its own each: plain noise looks all alike to a small tower."""
    prompt = ask(seed=seed, count=count, options=options)
    colours = np.random.default_rng(seed).integers(0, 200, (count, 1, 1, 3), dtype=np.uint8)
    return replace(prompt, frames=prompt.frames // 5 + colours)


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_are_float32_rows_of_length_one(made: Callable[[str], Path], family: str) -> None:
    model = loaded(made(family))
    assert isinstance(model, Encoder)
    assert isinstance(model, ScoresOptions)
    clips, texts = model.encode_clips([clip(seed) for seed in range(3)]), model.encode_texts(TEXTS)
    assert clips.dtype == texts.dtype == np.dtype(np.float32)
    assert (len(clips), len(texts)) == (3, 4)
    assert clips.shape[1] == texts.shape[1]
    assert np.linalg.norm(clips, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    # Neither are they all alike: what follows could not fail otherwise.
    assert (clips @ clips.T)[0, 1:].max() < 0.9999
    assert (texts @ texts.T)[0, 1:].max() < 0.99


@pytest.mark.parametrize("family", FAMILIES)
def test_clips_in_a_batch_are_the_same_bytes_as_clips_alone(made: Callable[[str], Path], family: str) -> None:
    model, prompts = loaded(made(family)), [clip(seed) for seed in range(3)]
    alone = [model.encode_clips([prompt])[0] for prompt in prompts]
    assert np.array_equal(model.encode_clips(prompts), np.stack(alone))
    texts = model.encode_texts(TEXTS)
    assert np.abs(texts - np.concatenate([model.encode_texts([text]) for text in TEXTS])).max() < 1e-6


@pytest.mark.parametrize("family", IMAGES)
def test_a_clip_is_the_mean_of_what_transformers_makes_of_its_frames(made: Callable[[str], Path], family: str) -> None:
    """By hand, frame by frame, through transformers' own functions."""
    folder, prompt = made(family), clip(7)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    pixels = transformers.AutoProcessor.from_pretrained(folder, backend="torchvision").image_processor
    with torch.no_grad():
        frames = [
            theirs.get_image_features(**pixels(images=frame, return_tensors="pt")).pooler_output[0].numpy()
            for frame in prompt.frames
        ]
    mean = sum(frame / np.linalg.norm(frame) for frame in frames) / len(frames)
    found = loaded(folder).encode_clips([prompt])[0]
    assert found == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_a_clip_of_x_clip_is_what_its_temporal_encoder_makes_of_it(made: Callable[[str], Path]) -> None:
    folder, prompt = made("x_clip"), clip(7)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder, backend="torchvision")
    with torch.no_grad():
        video = theirs.get_video_features(**processor(videos=[list(prompt.frames)], return_tensors="pt")).pooler_output
        text = theirs.get_text_features(**processor(text="take plate", return_tensors="pt")).pooler_output
    model = loaded(folder)
    assert model.info.frames.count == FRAMES
    assert model.info.settings["pooling"] == "temporal"
    assert model.encode_clips([prompt])[0] == pytest.approx((video / video.norm())[0].numpy(), abs=1e-5)
    assert model.encode_texts(["take plate"])[0] == pytest.approx((text / text.norm())[0].numpy(), abs=1e-5)
    # Its parts know the order of the frames; a mean does not.
    turned = replace(prompt, frames=prompt.frames[::-1])
    assert np.abs(model.encode_clips([turned]) - model.encode_clips([prompt])).max() > 1e-3
    mean = loaded(made("clip"))
    assert np.abs(mean.encode_clips([turned]) - mean.encode_clips([prompt])).max() < 1e-6


@pytest.mark.parametrize("family", IMAGES)
def test_texts_are_embedded_as_transformers_does(made: Callable[[str], Path], family: str) -> None:
    folder = made(family)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder, backend="torchvision")
    # As the model cards say: filled up to the full length, but for CLIP, where that makes no difference.
    filled = {} if family == "clip" else {"padding": "max_length", "max_length": CONTEXT}
    for text in TEXTS:
        with torch.no_grad():
            own = theirs.get_text_features(**processor(text=[text], return_tensors="pt", **filled)).pooler_output[0]
        found = loaded(folder).encode_texts([text])[0]
        assert found == pytest.approx((own / own.norm()).numpy(), abs=1e-5)


@pytest.mark.parametrize("family", IMAGES)
def test_scores_rank_options_as_the_logits_of_transformers_do(made: Callable[[str], Path], family: str) -> None:
    """One frame, so that pooling plays no part: the log-softmax of ``logits_per_image``."""
    folder, prompt = made(family), clip(3, count=1)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder, backend="torchvision")
    pixels = processor.image_processor(images=list(prompt.frames), return_tensors="pt")
    texts = processor(text=list(TEXTS), padding="max_length", max_length=CONTEXT, return_tensors="pt")
    with torch.no_grad():
        logits = theirs(**pixels, **texts).logits_per_image[0]
    model = loaded(folder)
    (found,) = model.score_options([prompt], "text")
    assert found.logprobs == pytest.approx(torch.log_softmax(logits, -1).tolist(), abs=1e-4)
    assert sum(map(math.exp, found.logprobs)) == pytest.approx(1)
    assert model.score_options([prompt], "letter") == [found]
    (reply,) = model.generate([prompt])
    assert reply.text == "ABCD"[int(logits.argmax())]
    assert found.tokens == (1, 1, 1, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_options_are_answered_with_all_of_their_letters(made: Callable[[str], Path], family: str) -> None:
    replies = loaded(made(family)).generate([clip(seed, options=("take plate",) * 5) for seed in range(4)])
    assert [reply.text for reply in replies] == ["A, B, C, D, E"] * 4


def test_scores_of_x_clip_are_the_logits_of_its_own_forward(made: Callable[[str], Path]) -> None:
    """There the video changes the texts: the log-softmax of ``logits_per_video``."""
    folder, prompt = made("x_clip"), clip(3)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder, backend="torchvision")
    inputs = processor(text=list(TEXTS), videos=[list(prompt.frames)], return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = theirs(**inputs).logits_per_video[0]
    model = loaded(folder)
    (found,) = model.score_options([prompt], "text")
    assert found.logprobs == pytest.approx(torch.log_softmax(logits, -1).tolist(), abs=1e-4)
    # It makes a difference: with the texts as a gallery has them the scores are others.
    plain = (model.encode_texts(TEXTS) @ model.encode_clips([prompt])[0]) * math.exp(model.model.logit_scale.item())
    assert np.abs(torch.log_softmax(torch.tensor(plain), -1).numpy() - np.array(found.logprobs)).max() > 1e-3


def test_an_open_question_gets_an_empty_reply_and_no_frames_end_the_run(made: Callable[[str], Path]) -> None:
    (reply,) = loaded(made("clip")).generate([clip(3, options=())])
    assert (reply.text, reply.error) == ("", None)
    for family in ("clip", "x_clip"):
        with pytest.raises(ModelError, match="there are none: it has neither a blind control nor a text prior"):
            loaded(made(family)).generate([clip(3, count=0)])


def test_template_and_question_are_put_around_the_options_and_are_part_of_the_run(made: Callable[[str], Path]) -> None:
    plain, prompt = loaded(made("clip")), replace(clip(3), question="cut what?")
    put = loaded(made("clip"), template="a video of {}", with_question="yes")
    assert np.array_equal(put.encode_texts(["take plate"]), plain.encode_texts(["a video of take plate"]))
    asked = tuple(f"a video of {prompt.question} {option}" for option in TEXTS)
    assert put.score_options([prompt], "text") == plain.score_options([replace(prompt, options=asked)], "text")
    assert put.info.settings["template"] == "a video of {}"
    assert put.info != plain.info
    # A brace of a text is its own.
    assert np.array_equal(put.encode_texts(["{}"]), plain.encode_texts(["a video of {}"]))
    for wrong in ("a video", "{} and {}"):
        with pytest.raises(ModelOptionError, match=r"expected one \{\} in it"):
            loaded(made("clip"), template=wrong)


def test_a_text_that_is_too_long_is_cut_and_said_so(made: Callable[[str], Path]) -> None:
    model = loaded(made("clip"))
    long = "cut an onion " * CONTEXT
    with pytest.warns(UserWarning, match=f"texts longer than {CONTEXT} tokens are cut"):
        found = model.encode_texts([long])
    with pytest.warns(UserWarning, match="are cut"):
        assert np.array_equal(found, model.encode_texts([long + "the red mug"]))
    assert model.info.settings["text_tokens"] == CONTEXT


def test_siglip_reads_lower_case_whatever_its_tokenizer_does(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Releases of SigLIP 2 on SigLIP's architecture name the tokenizer of Gemma, which leaves capitals as they are."""
    cased = Path(copytree(made("siglip"), tmp_path / "cased"))
    listed = json.loads((cased / "tokenizer.json").read_text())
    (cased / "tokenizer.json").write_text(json.dumps(listed | {"normalizer": None}))
    model = loaded(cased)
    capital, small = model.processor.tokenizer(["Take Plate", "take plate"])["input_ids"]
    assert capital != small
    assert np.array_equal(model.encode_texts(["Take Plate"]), model.encode_texts(["take plate"]))
    assert model.info.settings["lower_case"] is True
    assert loaded(made("clip")).info.settings["lower_case"] is False


def test_siglip_with_the_tokenizer_of_its_release_reads_words_alone(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    """A sentencepiece model, in front of which transformers drops capitals and punctuation."""
    library: Any = pytest.importorskip("sentencepiece")
    released = Path(copytree(made("siglip"), tmp_path / "siglip"))
    (released / "tokenizer.json").unlink()
    trained, words = BytesIO(), {"vocab_size": 80, "hard_vocab_limit": False, "bos_id": -1, "minloglevel": 2}
    library.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES * 20), model_writer=trained, **words)
    (released / "spiece.model").write_bytes(trained.getvalue())
    settings = {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "model_input_names": ["input_ids"]}
    (released / "tokenizer_config.json").write_text(json.dumps(settings))
    model = loaded(released)
    assert type(model.processor.tokenizer).__name__ == "SiglipTokenizer"
    texts = model.encode_texts(["take plate", "Take, plate!", "cut an onion"])
    assert np.array_equal(texts[0], texts[1])
    assert float(texts[0] @ texts[2]) < 0.99


def test_a_text_that_is_cut_keeps_its_end_token(made: Callable[[str], Path]) -> None:
    """By hand: the first tokens of the text, and the token that a text is pooled at in the last place."""
    for family, starts in (("clip", 1), ("siglip", 0)):
        model = loaded(made(family))
        words = model.processor.tokenizer
        plain = words("cut an onion " * CONTEXT, add_special_tokens=False)["input_ids"]
        kept = [words.bos_token_id][:starts] + plain[: CONTEXT - 1 - starts] + [words.eos_token_id]
        with torch.no_grad():
            own = model.model.get_text_features(input_ids=torch.tensor([kept])).pooler_output[0]
        with pytest.warns(UserWarning, match="are cut"):
            found = model.encode_texts(["cut an onion " * CONTEXT])[0]
        assert found == pytest.approx((own / own.norm()).numpy(), abs=1e-6)


def test_texts_that_do_not_fit_in_memory_are_said_to_be_so(made: Callable[[str], Path]) -> None:
    model = loaded(made("clip"))

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    model.model.text_model.register_forward_pre_hook(full)
    with pytest.raises(ModelMemoryError, match="model 'clip': out of GPU memory"):
        model.encode_texts(TEXTS)
    with pytest.raises(ModelMemoryError):
        model.score_options([clip(3)], "text")


def test_a_checkpoint_as_the_hub_has_it_embeds_the_same(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Releases of 2021 name their processor another way, sizes by one number, and keep positions among the weights."""
    old = Path(copytree(made("clip"), tmp_path / "clip"))
    (old / "processor_config.json").unlink()
    pixels = json.loads((made("clip") / "processor_config.json").read_text())["image_processor"]
    kept = {key: pixels[key] for key in ("do_center_crop", "do_normalize", "do_resize", "image_mean", "image_std")}
    kept |= {"feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": 32, "crop_size": 32}
    (old / "preprocessor_config.json").write_text(json.dumps(kept))
    weights = load_file(old / "model.safetensors")
    weights["text_model.embeddings.position_ids"] = torch.arange(CONTEXT)[None]
    save_file(weights, old / "model.safetensors", metadata={"format": "pt"})
    prompt = clip(5)
    assert np.array_equal(loaded(old).encode_clips([prompt]), loaded(made("clip")).encode_clips([prompt]))
    assert np.array_equal(loaded(old).encode_texts(TEXTS), loaded(made("clip")).encode_texts(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_saved_again_embeds_the_same(made: Callable[[str], Path], family: str, tmp_path: Path) -> None:
    folder, prompt = made(family), clip(5)
    transformers.AutoModel.from_pretrained(folder).save_pretrained(tmp_path / family)
    transformers.AutoProcessor.from_pretrained(folder).save_pretrained(tmp_path / family)
    before, after = loaded(folder), loaded(tmp_path / family)
    # Its config says more than before, so by its bytes it is another checkpoint.
    assert replace(after.info, weights="") == replace(before.info, weights="")
    assert after.info.weights != before.info.weights
    assert np.array_equal(after.encode_clips([prompt]), before.encode_clips([prompt]))
    assert np.array_equal(after.encode_texts(TEXTS), before.encode_texts(TEXTS))


def test_half_precision_embeds_nearly_the_same(made: Callable[[str], Path]) -> None:
    whole, half = loaded(made("clip")), loaded(made("clip"), dtype="bfloat16")
    assert half.info.dtype == "bfloat16"
    found = half.encode_clips([clip(1)])
    assert found.dtype == np.float32
    assert float((found @ whole.encode_clips([clip(1)]).T).item()) > 0.99


def test_x_clip_refuses_another_number_of_frames(made: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="exactly 4 frames; leave -o frames out"):
        loaded(made("x_clip"), frames=8)
    with pytest.raises(ModelError, match="exactly 4 frames, found 16; leave --frames out"):
        loaded(made("x_clip")).encode_clips([clip(1, count=16)])


def test_what_is_no_dual_encoder_or_not_all_there_is_refused(made: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no dual encoder; expected CLIP"):
        loaded(qwen2_vl(tmp_path / "qwen"))
    whole = load_file(made("clip") / "model.safetensors")
    for weights, fault in (
        ({key: whole[key] for key in whole if key != "text_projection.weight"}, r"missing.*text_projection\.weight"),
        (whole | {"text_projection.lora": torch.zeros(2)}, r"not known.*text_projection\.lora"),
        (
            whole | {"text_projection.weight": torch.zeros(3, 3)},
            r"shape.*text_projection\.weight of",
        ),
    ):
        broken = Path(copytree(made("clip"), tmp_path / "broken", dirs_exist_ok=True))
        save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=f"CLIPModel.*{fault}"):
            loaded(broken)


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("tokenizer.json", None, "its tokenizer knows no words"),
        ("config.json", None, "transformers cannot load it"),
        ("config.json", '{"model_type": "clip", "text_config": {"hidden_size": "many"}}', "expected int, got str"),
        ("processor_config.json", None, "Can't load image processor"),
        ("processor_config.json", '{"image_processor": 1}', "transformers cannot load it"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_one_line(
    made: Callable[[str], Path], tmp_path: Path, file: str, content: str | None, fault: str
) -> None:
    broken = Path(copytree(made("clip"), tmp_path / "broken"))
    (broken / file).unlink(missing_ok=True)
    if content is not None:
        (broken / file).write_text(content)
    with pytest.raises(ModelError, match=fault) as caught:
        loaded(broken)
    assert "\n" not in str(caught.value)
