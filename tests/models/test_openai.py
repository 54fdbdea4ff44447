"""openai: what it finds out of a server, what it sends, and how it reads what comes back."""

from __future__ import annotations

import base64
import json
import math
from importlib import import_module
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from PIL import Image

from egobench.errors import ModelError, ModelOptionError, PromptError
from egobench.interop.clips import read_clip
from egobench.model import Model, OptionScores, ScoresOptions
from egobench.plugins import load_model
from tests.models.able_server import KEY, REFUSED, Able, listed, loaded, shown, talking, words
from tests.models.prompts import ask
from tests.scripted_server import HANG, Answer, chat

pytest.importorskip("httpx")
pytest.importorskip("tenacity")


def scored(model: Model) -> OptionScores:
    assert isinstance(model, ScoresOptions)
    return model.score_options([ask()], "letter")[0]


# --- What a server can do --------------------------------------------------------------------------------------------


def test_a_server_that_can_do_everything_is_found_out() -> None:
    with talking(Able(("logprobs", "top_logprobs", "structured_outputs"))) as server:
        model = loaded(server)
    assert isinstance(model, ScoresOptions)
    assert (model.info.name, model.info.revision) == ("toy", "toy-2026-01-01")
    assert model.info.settings == {
        "server": "localhost",
        "model": "org/toy",
        "media": "images",
        "image_format": "jpeg, quality 95",
        "frame_label": "<{:.1f} seconds>",
        "detail": "auto",
        "system_as": "system",
        "limit_as": "max_tokens",
        "temperature": 0,
        "thinking": 0,
        "top_logprobs": 20,
        "choice": "structured_outputs",
        "extra": "",
    }


def test_a_server_that_overlooks_what_it_cannot_do_is_not_believed() -> None:
    with talking(Able(overlooks=True)) as server:
        model = loaded(server)
        assert not isinstance(model, ScoresOptions)
        assert (model.info.settings["top_logprobs"], model.info.settings["choice"]) == (0, "none")
        assert model.generate([ask()])[0].text == "(B)"
        with pytest.raises(ModelError, match="no way was found to hold replies to letters"):
            loaded(server, choice="yes")


def test_a_server_that_drops_images_is_found_out_by_its_tokens() -> None:
    with talking(Able(image_tokens=0)) as server:
        with pytest.raises(
            ModelError, match=r"does not show them to the model: 40 prompt tokens with them, 40 without"
        ):
            loaded(server, media="images")
        model = loaded(server)
        with pytest.raises(ModelError, match="--control blind"):
            model.generate([ask()])
        assert model.generate([ask(count=0)])[0].text == "(B)"
    assert model.info.settings["media"] == "none"


def test_a_server_that_counts_no_tokens_is_believed() -> None:
    with talking(lambda _: chat("(B)", usage={"prompt_tokens": 0, "completion_tokens": 0})) as server:
        assert loaded(server).info.settings["media"] == "images"


def test_a_server_that_refuses_images_is_asked_blind() -> None:
    able = Able()
    with talking(lambda body: REFUSED if shown(body) else able(body)) as server:
        with pytest.raises(
            ModelError, match=r"does not take 16 frames as images: HTTP 400.*media=auto, and ask --control"
        ):
            loaded(server, media="images")
        with pytest.raises(ModelError, match=r"does not take 16 frames as video: HTTP 400.*set -o media=images"):
            loaded(server, media="video")
        assert loaded(server).info.settings["media"] == "none"


def test_a_reasoning_model_is_spoken_to_as_it_wants() -> None:
    able = Able()
    with talking(lambda body: REFUSED if {"max_tokens", "temperature"} & body.keys() else able(body)) as server:
        model = loaded(server, thinking=100)
        model.generate([ask()])
        last = server.asked[-1]
    assert (model.info.settings["limit_as"], model.info.settings["temperature"]) == ("max_completion_tokens", None)
    assert last["max_completion_tokens"] == 6 + 100


@pytest.mark.parametrize("status", [400, 500])
def test_a_template_without_a_system_role_gets_those_words_in_the_user_turn(status: int) -> None:
    able, prompt = Able(), ask(count=0)
    raises: Answer = (status, {}, b"System role not supported")
    with talking(lambda body: raises if body["messages"][0]["role"] == "system" else able(body)) as server:
        model = loaded(server, tries=1)
        model.generate([prompt])
    assert model.info.settings["system_as"] == "user"
    assert server.asked[-1]["messages"] == [{"role": "user", "content": f"{prompt.system}\n\n{prompt.text}"}]


@pytest.mark.parametrize("content", ["", None, "<think>First, the knife"])
def test_a_model_that_thinks_away_its_tokens_is_named_when_it_is_loaded(content: str | None) -> None:
    with (
        talking(lambda _: chat(content, finish_reason="length")) as server,
        pytest.raises(ModelError, match=r"its 64 tokens ended before it answered.*-o thinking"),
    ):
        loaded(server)


@pytest.mark.parametrize(
    "message",
    [{"content": "<think>Hm.</think>hello"}, {"content": "Hm.</think>hello"}, {"content": "hi", "reasoning": "Hm."}],
)
def test_letters_of_a_model_that_thinks_first_are_not_scored(message: dict[str, str]) -> None:
    told = {"content": [{"token": "<think>", "top_logprobs": listed({"<think>": -0.1, "A": -3.0})}]}
    answer = json.dumps({"choices": [{"message": message, "finish_reason": "stop", "logprobs": told}]}).encode()
    with talking(lambda _: (200, {}, answer)) as server:
        assert not isinstance(loaded(server), ScoresOptions)


def test_extra_fields_go_with_every_request_and_into_the_run() -> None:
    with talking(Able(("top_k", "logprobs", "top_logprobs"))) as server:
        model = loaded(server, extra='{"top_k": 1}')
        model.generate([ask()])
    assert all(body["top_k"] == 1 for body in server.asked)
    assert model.info.settings["extra"] == '{"top_k":1}'


# --- What cannot be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listing", [True, False])
def test_a_wrong_key_is_an_error_at_once_and_is_not_shown(
    listing: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    wrong: Answer = (401, {}, f"wrong key {KEY}".encode())
    with talking(lambda _: wrong) as server:
        server.models = wrong if listing else (404, {}, b"")
        with pytest.raises(ModelError, match=r"is OPENAI_API_KEY the right one") as raised:
            loaded(server)
    assert server.authorizations == [f"Bearer {KEY}"]
    assert KEY not in str(raised.value) + caplog.text
    assert "[key]" in str(raised.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_chat_and_not_list_models_will_do(status: int) -> None:
    with talking(Able()) as server:
        server.models = (status, {}, b"You have insufficient permissions: api.model.read")
        assert loaded(server).generate([ask()])[0].text == "(B)"


def test_an_unknown_model_is_told_which_ones_there_are() -> None:
    with talking(lambda _: (404, {}, b'{"error": "The model `org/toy` does not exist."}')) as server:
        server.models = (200, {}, json.dumps({"data": [{"id": "qwen"}, {"id": "llava"}]}).encode())
        with pytest.raises(ModelError, match=r"does not exist.*it offers llava, qwen"):
            loaded(server)
    assert len(server.asked) == 1


def test_no_server_is_an_error_at_once() -> None:
    with talking(Able()) as server:
        pass
    started = monotonic()
    with pytest.raises(ModelError, match=r"cannot be reached \(ConnectError.*does the server run, and is -o base_url"):
        loaded(server, tries=6)
    # Six tries would take fifteen seconds and more.
    assert monotonic() - started < 8


def test_a_server_that_hangs_is_an_error_after_one_time_out() -> None:
    with talking(Able()) as server:
        server.models = (HANG, {}, b"")
        with pytest.raises(ModelError, match=r"cannot be reached \(no answer within 0\.2 seconds\)"):
            loaded(server, timeout=0.2)
    assert server.asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://example.org/v1"}, "without TLS"),
        ({"base_url": "https://me:secret@example.org/v1"}, "must hold no user"),
        ({"base_url": "http://[::1:8000/v1"}, "-o base_url is no web address"),
        ({"base_url": "http://127.0.0.1:http/v1"}, "-o base_url is no web address"),
        ({"base_url": "http://127.0.0.1:80000/v1"}, "-o base_url is no web address"),
        ({"base_url": "http://127.0.0.1:80/v1#secret"}, "must hold no user"),
        ({"tries": 0}, "-o tries=0: expected 1 or more"),
        ({"concurrency": 2000}, "-o concurrency=2000: expected 1 to 1000"),
        ({"timeout": math.inf}, "-o timeout=inf: expected 0.001 to 86400"),
        ({"thinking": -1}, "-o thinking=-1: expected 0 or more"),
        ({"price_in": -1.0}, "expected 0 or more"),
        ({"price_out": math.nan}, "-o price_out=nan: expected 0 or more"),
        ({"quality": 101}, "1 to 100"),
        ({"extra": "{top_k: 1}"}, "is no JSON"),
        ({"extra": "[1]"}, "expected a JSON object"),
        ({"extra": '{"stream": true}'}, "-o extra may not hold 'stream'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        load_model("openai", **{"base_url": "http://127.0.0.1:9/v1", "model": "m", **options})
    assert "secret" not in str(raised.value)
    with pytest.raises(ModelOptionError, match="media"):
        load_model("openai", base_url="http://127.0.0.1:9/v1", model="m", media="gif")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [("ALL_PROXY", "socks5://127.0.0.1:9", "socksio"), ("SSL_CERT_FILE", "/no/such/file", "No such file")],
)
def test_an_environment_that_no_connection_can_be_made_in_is_named(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ModelError, match=f"{message}.*see the address, and HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE"):
        load_model("openai", base_url="https://127.0.0.1:9/v1", model="m")


# --- What is sent ----------------------------------------------------------------------------------------------------


def sent(**options: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The request that asks a prompt, and its frames."""
    prompt = ask(count=4, start=1.25)
    with talking(Able(("media_io_kwargs",))) as server:
        loaded(server, choice="no", **options).generate([prompt])
    return server.asked[-1], prompt.frames


def content_of(url: str, kind: str) -> bytes:
    assert url.startswith(f"data:{kind};base64,")
    return base64.b64decode(url.partition(",")[2])


def test_every_frame_is_sent_behind_its_time() -> None:
    body, frames = sent(image_format="png", detail="low")
    *parts, asked = body["messages"][-1]["content"]
    assert asked == {"type": "text", "text": ask().text}
    assert [part["text"] for part in parts[::2]] == [
        "<1.2 seconds>", "<1.8 seconds>", "<2.2 seconds>", "<2.8 seconds>"
    ]  # fmt: skip
    images = [part["image_url"] for part in parts[1::2]]
    assert [image["detail"] for image in images] == ["low"] * 4
    pixels = [np.asarray(Image.open(BytesIO(content_of(image["url"], "image/png")))) for image in images]
    assert np.array_equal(np.stack(pixels), frames)


def test_jpeg_images_are_near_the_frames_and_may_go_without_labels() -> None:
    body, frames = sent(labels="no")
    *parts, _ = body["messages"][-1]["content"]
    pixels = [np.asarray(Image.open(BytesIO(content_of(one["image_url"]["url"], "image/jpeg")))) for one in parts]
    # Noise is the worst case; quality 95 without subsampled colours stays within a few of 255 steps on average.
    assert np.abs(np.stack(pixels).astype(float) - frames).mean() < 4
    assert "detail" not in parts[0]["image_url"]


def test_a_video_holds_exactly_the_frames(tmp_path: Path) -> None:
    body, frames = sent(media="video")
    video, _ = body["messages"][-1]["content"]
    path = tmp_path / "sent.mp4"
    path.write_bytes(content_of(video["video_url"]["url"], "video/mp4"))
    assert np.array_equal(read_clip(path), frames)


def test_vllm_is_told_not_to_sample_again() -> None:
    body, _ = sent(media="vllm-video")
    video, _ = body["messages"][-1]["content"]
    kind, _, images = video["video_url"]["url"].partition(",")
    assert (kind, len(images.split(","))) == ("data:video/jpeg;base64", 4)
    # By hand: frames half a second apart are two a second.
    assert body["media_io_kwargs"] == {"video": {"num_frames": -1, "fps": 2.0, "frames_indices": [0, 1, 2, 3]}}


# --- Letters and choices ---------------------------------------------------------------------------------------------


def test_letters_are_scored_by_their_log_probabilities_and_spellings_count_together() -> None:
    place = {" A": math.log(0.125), "A": math.log(0.25), "(A": math.log(0.125), "C": math.log(0.125), "The": -2.5}
    with talking(Able(("logprobs", "top_logprobs"), tokens=[place])) as server:
        scores = scored(loaded(server))
    # By hand: A has 0.5; B and D are not told, so they are at most as likely as "The", the least likely token told.
    assert scores.logprobs == pytest.approx([math.log(0.5), -2.5, math.log(0.125), -2.5])
    assert (scores.tokens, scores.floored, scores.prompt_tokens) == ((1, 1, 1, 1), 2, 40 + 16 * 7)
    assert server.asked[-1]["top_logprobs"] == 20


def test_a_token_that_is_told_twice_counts_once() -> None:
    letters = import_module("egobench.models.openai.letters")
    told = [*listed({"A": -1.0, " A": -1.5, "B": -2.0}), *listed({"A": -1.0})]
    found = letters.letter_logprobs({"content": [{"token": "A", "top_logprobs": told}]}, "AB")
    # By hand: log(exp(-1) + exp(-1.5)).
    assert found == (pytest.approx([-0.5259230, -2.0]), 0)


def test_letters_are_looked_for_where_the_reply_says_something() -> None:
    begin, then = {"(": -0.1, "B": -4.0}, {"C": -0.25, "B": -2.0, "A": -3.0, "D": -4.0}
    with talking(Able(("logprobs", "top_logprobs"), tokens=[{"\n": -0.1, "A": -3.0}, begin, then])) as server:
        scores = scored(loaded(server))
    assert scores.logprobs == pytest.approx([-3.0, -2.0, -0.25, -4.0])
    assert scores.floored == 0


@pytest.mark.parametrize(
    "place",
    [{"A": 0.0, "B": 0.0}, {"A": 0.2, "B": -1.0}, {"A": -0.1}, {"A": math.nan, "B": -1.0}],
    ids=["all certain", "above 0", "one token", "no number"],
)
def test_numbers_that_are_no_log_probabilities_are_not_taken_for_them(place: dict[str, float]) -> None:
    with talking(Able(("logprobs", "top_logprobs"), tokens=[place])) as server:
        assert not isinstance(loaded(server), ScoresOptions)


def test_fewer_log_probabilities_are_asked_for_where_twenty_are_too_many() -> None:
    able = Able(("logprobs", "top_logprobs"))
    with talking(lambda body: REFUSED if body.get("top_logprobs", 0) > 5 else able(body)) as server:
        assert loaded(server).info.settings["top_logprobs"] == 5


def test_texts_of_options_are_not_scored() -> None:
    with talking(Able(("logprobs", "top_logprobs"))) as server:
        model = loaded(server)
        assert isinstance(model, ScoresOptions)
        with pytest.raises(ModelError, match="no log-probability of a given text; use --method likelihood-letter"):
            model.score_options([ask()], "text")


def test_an_answer_without_its_log_probabilities_is_an_error_of_that_prompt() -> None:
    able = Able(("logprobs", "top_logprobs"))
    with talking(able) as server:
        model = loaded(server)
        able.tokens = ()
        with pytest.raises(PromptError, match="holds no log-probabilities"):
            scored(model)


@pytest.mark.parametrize("form", ["structured_outputs", "response_format"])
def test_replies_to_questions_with_options_are_held_to_letters(form: str) -> None:
    with talking(Able((form,), says=lambda _: "Let me see.")) as server:
        model = loaded(server)
        closed, open_ended = model.generate([ask(), ask(options=())])
    assert (closed.text, open_ended.text) == ("B", "Let me see.")
    assert model.info.settings["choice"] == ("json_schema" if form == "response_format" else form)
    asked = [body for body in server.asked if shown(body)][-2:]
    assert [form in body for body in sorted(asked, key=lambda body: "Options" not in words(body))] == [True, False]


def test_letters_that_are_told_twice_as_unlikely_as_numbers_allow_stay_finite() -> None:
    letters = import_module("egobench.models.openai.letters")
    told = {"content": [{"token": "A", "top_logprobs": listed({"A": -0.0, "B": -9999.0})}]}
    assert letters.letter_logprobs(told, "ABC") == ([0.0, -9999.0, -9999.0], 1)
