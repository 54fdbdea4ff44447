"""Any model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, OpenAI, transformers serve, and many more.

What the server can do is found out by asking it when the model is loaded, and is part of what identifies a run.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, Literal

from egobench.errors import EndpointError, ModelError
from egobench.model import FramePolicy, Model
from egobench.server.endpoint import Connection, find_endpoint
from egobench.server.pool import ServerPool

OURS = {"model", "messages", "stream", "n"}
"""Fields of a request that nobody may set: its answer could not be read any more, or would be of another question."""


def load(  # noqa: PLR0913 - each is an option of the command line
    *,
    base_url: str,
    model: str,
    media: Literal["auto", "images", "video", "vllm-video"] = "auto",
    frames: int | None = None,
    short_side: int | None = None,
    image_format: Literal["jpeg", "png"] = "jpeg",
    quality: int = 95,
    detail: Literal["auto", "low", "high"] = "auto",
    labels: bool = True,
    choice: Literal["auto", "yes", "no"] = "auto",
    thinking: int = 0,
    extra: str = "",
    concurrency: int = 16,
    timeout: float = 300.0,
    tries: int = 6,
    price_in: float | None = None,
    price_out: float | None = None,
) -> Model:
    """Find out what a server can do. The key is read from the environment variable ``OPENAI_API_KEY`` alone.

    Args:
        base_url: Its base address, e.g. ``http://127.0.0.1:8000/v1``; other machines are asked over https only. Several
            servers with the same model, separated by commas, share the questions.
        model: The model's name there.
        media: How frames are sent: ``images``, one a frame; ``video``, an MP4 file of exactly the frames;
            ``vllm-video``, JPEG images in one video part, which vLLM does not sample again. ``auto`` is ``images``
            where the server takes them, else nothing, which leaves ``--control blind``.
        frames: Number of frames to ask for; ``None`` leaves it to the task.
        short_side: Pixels of a frame's shorter side; ``None`` leaves it to the task.
        image_format: How single images are stored; ``png`` keeps every pixel.
        quality: Of JPEG images, in [1, 100].
        detail: How finely a server that charges by it is to look at an image.
        labels: Whether each image stands behind its time, as ``<12.5 seconds>``.
        choice: Whether replies to questions with options are held to the options' letters: where that was seen to
            work, in any case, or never.
        thinking: Most tokens of thoughts before a reply, on top of the reply's own.
        extra: Fields of every request beside ours, as a JSON object, e.g.
            ``{"chat_template_kwargs": {"enable_thinking": false}}``.
        concurrency: Most requests under way at a time at each server; fewer are while it is busy.
        timeout: Seconds until a try is given up, its answer read to the end.
        tries: Most tries of one request.
        price_in: Price of a million tokens read, to sum up what a run costs.
        price_out: Price of a million tokens written.

    Raises:
        ModelError: If a package is missing, or the server or the model cannot be asked.
        ValueError: If the address cannot be used, or a number is out of its range.
    """
    from .adapter import Prices, open_model
    from .dialect import Dialect
    from .frame_parts import Media
    from .probe import ServerAbilities, probe

    _check(1, 1000, concurrency=concurrency)
    _check(1, 100, quality=quality)
    _check(1, math.inf, tries=tries, short_side=short_side)
    _check(0, math.inf, thinking=thinking, frames=frames, price_in=price_in, price_out=price_out)
    _check(0.001, 86_400, timeout=timeout)
    kind = "images" if media == "auto" else media
    dialect = Dialect(
        model,
        Media(kind, image_format, quality, detail, labels),
        thinking=thinking,
        extra=_fields(extra),
    )
    connections: list[Connection] = []
    abilities: list[ServerAbilities] = []
    for url in _addresses(base_url):
        try:
            endpoint = replace(find_endpoint(url, "-o base_url"), timeout=timeout, tries=tries)
            connections.append(endpoint.connect(concurrency))
        except EndpointError as error:
            raise ModelError(f"model 'openai': {error}") from error
        abilities.append(probe(connections[-1], dialect, must_see=media != "auto", choice=choice))
        if abilities[-1] != abilities[0]:
            raise ModelError(
                f"model {model!r} is not the same at {_addresses(base_url)[0]} and at {url}: {abilities[0]} and "
                f"{abilities[-1]}; give servers of one version with the same options, or one server"
            )
    connection = connections[0] if len(connections) == 1 else ServerPool(connections)
    return open_model(connection, abilities[0], FramePolicy(frames, short_side), Prices(price_in, price_out))


def _addresses(base_url: str) -> list[str]:
    addresses = [address.strip() for address in base_url.split(",")]
    twice = next((address for address in addresses if addresses.count(address) > 1), None)
    if twice is not None:
        raise ValueError(f"-o base_url names {twice or 'nothing'} twice; expected each server once, behind commas")
    return addresses


def _check(least: float, most: float, **numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not (least <= number <= most and math.isfinite(number)):
            expected = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
            raise ValueError(f"-o {name}={number:g}: expected {expected}")


def _fields(extra: str) -> dict[str, Any]:
    try:
        fields = json.loads(extra or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f'-o extra is no JSON ({error}); expected an object such as {{"top_k": 1}}') from error
    if not isinstance(fields, dict):
        raise ValueError(f"-o extra is a {type(fields).__name__}; expected a JSON object")
    if reserved := OURS & fields.keys():
        raise ValueError(
            f"-o extra may not hold {', '.join(map(repr, sorted(reserved)))}, which each request sets itself"
        )
    return fields
