"""What the language model reads, and the losses of stage 2, put together by hand from the model's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from egobench.errors import ModelError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

V35 = {"kind": "stc_connector_v35"}


def built(**switches: Any) -> Any:
    from tests.reference_exo2ego.tiny_exo2ego import tiny_config, tiny_model

    return tiny_model(tiny_config(**switches))


def weights_of(module: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().astype(np.float64) for name, tensor in module.state_dict().items()}


@pytest.fixture(autouse=True)
def _no_gradients() -> Any:
    with torch.inference_mode():
        yield


def test_the_features_are_the_last_hidden_state_but_one_without_clips_own_token() -> None:
    from reference_exo2ego.backbone.frames import CLIP_DEVIATION, CLIP_MEAN
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model, video = built(), clips()
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_DEVIATION))
    pixels = (video.float() / 255 - mean) / deviation
    states = model.exo_encoder(pixels.flatten(0, 1), output_hidden_states=True).hidden_states
    assert len(states) == 4
    x = model.features("exo", video)
    assert x.shape == (2, 4, 64, 16)
    assert torch.equal(x, states[2][:, 1:].unflatten(0, (2, 4)))
    # Frames that were normalised before are taken as they are.
    assert torch.equal(model.features("exo", pixels), x)
    assert not torch.equal(model.features("ego", video), x)


def test_the_learners_tokens_and_those_of_f_stand_behind_one_another() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model = built()
    x = model.features("ego", clips())
    own, mapped = model.connector(x), model.connector(model.to_exo(x))
    # By hand: (4 / 2 + 1) steps of (8 / 2 + 1) x (8 / 2 + 1) tokens, twice.
    read = model.read_learner(clips(), "stage3")
    assert read.shape == (2, 2 * 75, 32)
    assert torch.equal(read, torch.cat([own, mapped], dim=1))
    # Before stage 2 there is no F: ego tokens alone.
    for stage in ("init", "stage1"):
        assert torch.equal(model.read_learner(clips(), stage), own)


def test_sums_and_channels_keep_the_number_of_tokens() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model = built(fuse="sum")
    x = model.features("ego", clips())
    own, mapped = model.connector(x), model.connector(model.to_exo(x))
    assert torch.equal(model.read_learner(clips(), "stage3"), own + mapped)
    model = built(fuse="channel")
    x = model.features("ego", clips())
    own, mapped = model.connector(x), model.connector(model.to_exo(x))
    # At first the learner's tokens come through as they are.
    assert torch.allclose(model.read_learner(clips(), "stage3"), own, atol=1e-6)
    torch.nn.init.normal_(model.fusion.weight)
    joined = torch.cat([own, mapped], dim=2) @ model.fusion.weight.T + model.fusion.bias
    assert torch.allclose(model.read_learner(clips(), "stage3"), joined, atol=1e-4)


def test_a_views_own_connector_reads_what_f_maps_to() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model = built(connector="per_view")
    x = model.features("ego", clips())
    expected = torch.cat([model.connector(x), model.exo_connector(model.to_exo(x))], dim=1)
    assert torch.equal(model.read_learner(clips(), "stage3"), expected)
    assert torch.equal(model.read_view("exo", clips()), model.exo_connector(model.features("exo", clips())))


def test_behind_the_connector_f_maps_tokens() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model = built(place="after_connector", stc=V35, mapping={"downsamplings": 1})
    tokens = model.connector(model.patches("ego", clips()))
    # By hand: 4 / 2 steps of (8 / 2) x (8 / 2) tokens.
    assert tokens.shape == (2, 2 * 16, 32)
    x = model.features("ego", clips())
    assert torch.equal(x, tokens.unflatten(1, (2, 16)))
    expected = torch.cat([tokens, model.to_exo(x).flatten(1, 2)], dim=1)
    assert torch.equal(model.read_learner(clips(), "stage3"), expected)


def test_delimiters_enclose_each_view() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import clips

    model = built(delimiters="on")
    x = model.features("ego", clips())
    own, mapped = model.connector(x), model.connector(model.to_exo(x))
    ego, exo = model.delimiters.ego, model.delimiters.exo

    def row(vector: Any) -> Any:
        return vector.expand(2, 1, -1)

    parts = [row(ego[0]), own, row(ego[1]), row(exo[0]), mapped, row(exo[1])]
    assert torch.equal(model.read_learner(clips(), "stage3"), torch.cat(parts, dim=1))
    alone = model.connector(model.features("exo", clips()))
    assert torch.equal(model.read_view("exo", clips()), torch.cat([row(exo[0]), alone, row(exo[1])], dim=1))
    summed = built(delimiters="on", fuse="sum")
    assert summed.read_learner(clips(), "stage3").shape == (2, 75 + 2, 32)


def test_vtg_is_the_mean_over_labelled_words_of_full_forwards() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    model, batch = built(), batch_of("ego")
    video = model.read_learner(batch.ego, "stage3")
    embed, costs = model.language.get_input_embeddings(), []
    for clip, (before, after, answer) in enumerate((([1, 5], [6, 7], [8, 9, 2]), ([1], [7], [8, 2]))):
        row = torch.cat([embed(torch.tensor(before)), video[clip], embed(torch.tensor(after + answer))])[None]
        logprobs = model.language(inputs_embeds=row).logits[0].log_softmax(-1)
        costs += [-float(logprobs[-1 - len(answer) + place, word]) for place, word in enumerate(answer)]
    losses = model("stage3", batch)
    assert losses.tokens == len(costs) == 5
    assert float(losses.vtg) == pytest.approx(sum(costs) / 5, abs=1e-5)
    assert (float(losses.kl), float(losses.ccl_ego), float(losses.ccl_exo)) == (0, 0, 0)
    assert float(losses.total) == float(losses.vtg)


def test_cycles_are_those_of_generators_by_hand() -> None:
    # Eq. 2 of arXiv 2503.09143 with F and G in NumPy: mean |x - G(F(x))| and mean |y - F(G(y))|.
    from tests.reference_exo2ego.generator_by_hand import mapped
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    model, batch = built(mapping={"width": 2}), batch_of("ego", "exo")
    x, y = (model.features(view, getattr(batch, view)).numpy().astype(np.float64) for view in ("ego", "exo"))
    f, g = weights_of(model.to_exo), weights_of(model.to_ego)
    losses = model("stage2", batch)
    assert float(losses.ccl_ego) == pytest.approx(np.abs(x - mapped(mapped(x, f), g)).mean(), abs=1e-5)
    assert float(losses.ccl_exo) == pytest.approx(np.abs(y - mapped(mapped(y, g), f)).mean(), abs=1e-5)


def test_the_divergence_of_features_is_of_the_mapped_ones_to_the_demonstrators() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    for reading in ("categorical", "gaussian"):
        model, batch = built(kl=reading), batch_of("ego", "exo")
        y = model.features("exo", batch.exo).double().numpy()
        fx = model.to_exo(model.features("ego", batch.ego)).double().numpy()
        if reading == "categorical":
            p, q = (np.exp(values) / np.exp(values).sum(-1, keepdims=True) for values in (y, fx))
            expected = (p * np.log(p / q)).sum(-1).mean()
        else:
            (m, v), (n, w) = ((values.mean((1, 2)), values.var((1, 2)) + 1e-6) for values in (y, fx))
            expected = 0.5 * (np.log(w / v) + (v + (m - n) ** 2) / w - 1).sum(-1).mean()
        assert float(model("stage2", batch).kl) == pytest.approx(expected, rel=1e-4)


def test_the_divergence_of_outputs_is_of_words_read_from_f_alone_to_words_read_from_y_alone() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    model, batch = built(kl="output"), batch_of("ego", "exo")
    y, fx = model.features("exo", batch.exo), model.to_exo(model.features("ego", batch.ego))
    embed, divergences = model.language.get_input_embeddings(), []
    for clip, (before, after, answer) in enumerate((([1, 5], [6, 7], [8, 9, 2]), ([1], [7], [8, 2]))):
        sides = [
            model.language(
                inputs_embeds=torch.cat(
                    [embed(torch.tensor(before)), model.connector(read)[clip], embed(torch.tensor(after + answer))]
                )[None]
            )
            .logits[0, -1 - len(answer) : -1]
            .double()
            .log_softmax(-1)
            for read in (y, fx)
        ]
        divergences += (sides[0].exp() * (sides[0] - sides[1])).sum(-1).tolist()
    assert float(model("stage2", batch).kl) == pytest.approx(sum(divergences) / 5, rel=1e-4)


def test_losses_are_weighted_and_switched_off() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    batch, plain = batch_of("ego", "exo"), built()("stage2", batch_of("ego", "exo"))
    weighted = built(weights={"vtg": 2.0, "kl": 0.5, "ccl": 10.0})("stage2", batch)
    expected = 2 * plain.vtg + 0.5 * plain.kl + 10 * (plain.ccl_ego + plain.ccl_exo)
    assert float(weighted.total) == pytest.approx(float(expected), rel=1e-6)
    forward = built(ccl="forward")("stage2", batch)
    assert (float(forward.ccl_ego), float(forward.ccl_exo)) == (float(plain.ccl_ego), 0)
    none = built(kl="off", ccl="forward")("stage2", batch)
    assert float(none.total) == pytest.approx(float(none.vtg + none.ccl_ego))


def test_the_initialization_reads_either_view_alone() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    model = built()
    ego = model("init", batch_of("ego")).vtg
    exo = model("init", batch_of("exo")).vtg
    assert torch.equal(exo, model("stage1", batch_of("exo")).vtg)
    torch.nn.init.normal_(model.to_exo.last.weight)
    assert torch.equal(ego, model("init", batch_of("ego")).vtg)


def test_views_that_a_stage_does_not_take_are_wrong_arguments() -> None:
    from tests.reference_exo2ego.tiny_exo2ego import batch_of

    model = built()
    for stage, views, fault in (
        ("init", ("ego", "exo"), "init takes ego or exo, found ego and exo"),
        ("stage1", ("ego",), "stage1 takes exo, found ego"),
        ("stage2", ("ego",), "stage2 takes ego and exo, found ego"),
        ("stage3", (), "stage3 takes ego, found no frames"),
    ):
        with pytest.raises(ValueError, match=fault):
            model(stage, batch_of(*views))


def test_a_part_that_was_not_built_is_named() -> None:
    from reference_exo2ego.model.exo2ego import Exo2Ego
    from tests.reference_exo2ego.tiny_exo2ego import batch_of, clips, tiny_config

    learner = Exo2Ego(tiny_config(), tiny_config().learner_in("stage3"))
    assert learner.read_learner(clips(), "stage3").shape == (2, 150, 32)
    with pytest.raises(ModelError, match="built without exo_encoder, to_ego; build or load it for training"):
        learner("stage2", batch_of("ego", "exo"))
