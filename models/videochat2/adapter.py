"""The adapter: VideoChat2's prompts, its frames and tiles, and opening its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from egobench.errors import ModelError
from egobench.model import FramePolicy, ModelInfo, Prompt
from egobench.prompts import LETTERS, user_turn
from reference_exo2ego.backbone.frames import clip_sight, pixels
from reference_exo2ego.backbone.weights import weight_files

from .._local.checkpoint import READ, explained, find_checkpoint
from .._local.device import torch_device
from .._local.fingerprint import checkpoint_fingerprint
from .._local.generation import PREFILL, configure_generation
from .._local.library_output import quiet_loading
from .._local.load_options import LoadOptions
from .._local.spliced_model import PromptParts, Purpose, SplicedModel, shown_frames
from .vision import VisualEncoder
from .weights import load_published, read_sizes

OWN_SYSTEM = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of "
    "objects, and the action and pose of persons. Based on your observations, select the best option that accurately "
    "addresses the question.\n"
)
OWN_ANSWER = "Best option:("
OWN_REQUEST = "Only give the best option."
"""The release's own words (``video_chat2/mvbench.ipynb`` and ``video_chat2/demo/demo_mistral.ipynb`` of
OpenGVLab/Ask-Anything)."""

EGOSCHEMA = "egoschema"
"""The task whose script leaves the system prompt to the Q-Former alone, and puts the question in small letters behind a
capital; for every other task the words are MVBench's."""

MOST_TILES = 6
"""Of one frame, the whole not counted."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures: HD was trained with them, stage 3 with CLIP's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoChat2Options(LoadOptions):
    """Options of :func:`egobench.models.videochat2.load`, which says what they mean."""

    frames: int
    tiles: Literal["auto", "yes", "no"]
    prompt: Literal["harness", "own"]
    language: str
    vocabulary: str


@dataclass(frozen=True, slots=True)
class VideoChat2Frontend:
    """The part of VideoChat2 before its language model: frames to features, prompts to words.

    Attributes:
        visual: The visual half.
        vocabulary: Tokenizer of the Q-Former.
        start: What begins every prompt, ``"<s>"``.
        side: Pixels of a frame's side.
        frames: Frames it was asked to show.
        tiled: Whether frames are seen in tiles too.
        own: Whether the release's own prompt is put, else the harness's.
    """

    visual: VisualEncoder
    vocabulary: Any
    start: str
    side: int
    frames: int
    tiled: bool
    own: bool

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
        options = () if purpose == "text" else prompt.options
        begun = OWN_ANSWER if self.own and options else PREFILL if purpose == "letter" else ""
        question = f"[INST] {self._question(prompt, options)} [/INST]" + f" {begun}" * bool(begun)
        before, after = f"{self.start}{self._system(prompt)}", question
        if len(prompt.frames):
            before, after = f"{before}[INST] <Video>", f"</Video> [/INST] {question}"
        else:
            before, after = "", before + after
        return PromptParts(before, after, PREFILL if begun == OWN_ANSWER else "")

    def encode_frames(self, prompt: Prompt) -> torch.Tensor:
        """Features of the prompt's frames: ``(tokens, width)``, tile after tile, then the whole."""
        frames = shown_frames(prompt, self.frames)
        seen = (
            tiles(frames, self.side) if self.tiled else pixels(squares(frames, self.side), clip_sight(self.side))[None]
        )
        # Of a text longer than the Q-Former reads the end is kept, as in training.
        most = int(self.visual.qformer.config.max_position_embeddings)
        words = self.vocabulary(self._system(prompt), return_tensors="pt", truncation=True, max_length=most)
        weight = self.visual.query_tokens
        features: torch.Tensor = self.visual(seen.to(weight), words["input_ids"].to(weight.device))
        return features.flatten(0, 1)

    def _system(self, prompt: Prompt) -> str:
        return OWN_SYSTEM if self.own else f"{prompt.system}\n"

    def _question(self, prompt: Prompt, options: tuple[str, ...]) -> str:
        if not self.own:
            return prompt.text if options == prompt.options else user_turn(prompt.question, options)
        if not options:
            return prompt.question
        return own_question(prompt, options)


def own_question(prompt: Prompt, options: tuple[str, ...]) -> str:
    """The user's turn of the release's own evaluation of a task."""
    listed = [f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    egoschema = prompt.task == EGOSCHEMA
    question = prompt.question.capitalize() if egoschema else prompt.question
    turn = "\n".join([f"Question: {question}", "Options:", *listed, OWN_REQUEST])
    return turn if egoschema else OWN_SYSTEM + turn


def own_words() -> str:
    """Hash of the release's own words, so that other ones make another run."""
    prompts = [
        Prompt(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0), "", "Q q", ("a", "b"), "", 1, 0, task)
        for task in (EGOSCHEMA, "")
    ]
    words = [OWN_SYSTEM, OWN_ANSWER, *(own_question(prompt, prompt.options) for prompt in prompts)]
    return sha256("\0".join(words).encode()).hexdigest()[:12]


def squares(frames: np.ndarray, side: int) -> np.ndarray:
    """The middle square of each frame, resized and cropped as torchvision's ``Resize`` and ``CenterCrop`` do.

    The longer side is rounded down, half of an odd margin to the nearest even number; transformers' processors round
    the margin down (:func:`reference_exo2ego.backbone.frames.pixels`).

    Args:
        frames: uint8 RGB ``(n_frames, height, width, 3)``.
        side: Pixels of a square's side.

    Returns:
        uint8 RGB ``(n_frames, side, side, 3)``.
    """
    height, width = frames.shape[1:3]
    short = min(height, width)
    size = (int(side * width / short), int(side * height / short))
    left, top = (round((length - side) / 2) for length in size)
    cut: list[np.ndarray] = []
    for frame in frames:
        picture = Image.fromarray(frame)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        cut.append(np.asarray(picture.crop((left, top, left + side, top + side))))
    return np.stack(cut)


def grid(height: int, width: int, side: int) -> tuple[int, int]:
    """Rows and columns of tiles: of all grids of at most :data:`MOST_TILES` the one nearest in shape (InternVL 1.5).

    Args:
        height: Of a frame, in pixels.
        width: Likewise.
        side: Pixels of a tile's side.
    """
    shapes = [
        (columns, rows)
        for columns in range(1, MOST_TILES + 1)
        for rows in range(1, MOST_TILES + 1)
        if columns * rows <= MOST_TILES
    ]
    best, least = (1, 1), float("inf")
    for columns, rows in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        difference = abs(width / height - columns / rows)
        # Of grids of one shape, a large frame gets the finer one.
        finer = difference == least and width * height > 0.5 * side * side * columns * rows
        if difference < least or finer:
            best, least = (columns, rows), difference
    return best[1], best[0]


def tiles(frames: np.ndarray, side: int) -> torch.Tensor:
    """What HD sees of a clip: its frames stretched over a grid of tiles, cut up, and as a whole.

    Args:
        frames: uint8 RGB ``(n_frames, height, width, 3)``.
        side: Pixels of a tile's side.

    Returns:
        float32 ``(n_tiles + 1, n_frames, 3, side, side)``, row by row, the whole last.
    """
    rows, columns = grid(frames.shape[1], frames.shape[2], side)
    values = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    mean, deviation = (torch.tensor(parts)[:, None, None] for parts in (MEAN, DEVIATION))
    large = (_stretched(values, rows * side, columns * side) / 255 - mean) / deviation
    parts = large.unflatten(3, (columns, side)).unflatten(2, (rows, side)).permute(2, 4, 0, 1, 3, 5).flatten(0, 1)
    return torch.cat([parts, _stretched(large, side, side)[None]])


def open_model(options: VideoChat2Options) -> SplicedModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    with quiet_loading():
        return _open(options)


def _open(options: VideoChat2Options) -> SplicedModel:
    import transformers

    library: Any = transformers
    device = torch_device(options.device)
    weights, revision = _weights(options)
    language, _ = find_checkpoint(options.language, "", READ, "language")
    vocabulary, _ = find_checkpoint(options.vocabulary, "", READ, "vocabulary")
    plan = read_sizes(weights, language, vocabulary)
    with explained(f"{language}: no tokenizer that transformers loads; expected tokenizer.json or tokenizer.model"):
        tokenizer = library.AutoTokenizer.from_pretrained(language, trust_remote_code=False)
    with explained(f"{vocabulary}: no tokenizer that transformers loads; expected tokenizer.json or vocab.txt"):
        words = library.AutoTokenizer.from_pretrained(vocabulary, trust_remote_code=False, truncation_side="left")
    if len(words) > plan.qformer.vocab_size:
        raise ModelError(f"{vocabulary}: {len(words)} words; the Q-Former knows {plan.qformer.vocab_size}")
    config = weights.with_name("config.json")
    trained = [weights, *([config] if config.is_file() else [])]
    fingerprint = checkpoint_fingerprint([language, vocabulary], [*trained, *weight_files(language)])
    visual, model = load_published(plan, weights, language, dtype=options.dtype, device=device)
    configure_generation(model, tokenizer)
    tiled = options.tiles == "yes" or (options.tiles == "auto" and "hd" in weights.stem.lower())
    info = ModelInfo(
        name=weights.stem,
        revision=revision,
        weights=fingerprint,
        dtype=str(model.dtype).removeprefix("torch."),
        frames=FramePolicy(options.frames),
        settings={
            "prompt": options.prompt if options.prompt == "harness" else f"own {own_words()}",
            "tiles": tiled,
            "prefill": PREFILL,
            "crop": "torchvision",
        },
    )
    start = tokenizer.bos_token or ""
    frontend = VideoChat2Frontend(visual, words, start, plan.sizes.side, options.frames, tiled, options.prompt == "own")
    return SplicedModel(info, model, tokenizer, frontend)


def _weights(options: VideoChat2Options) -> tuple[Path, str]:
    """The ``.pth`` file, and its revision."""
    file = Path(options.checkpoint).expanduser()
    if file.is_file():
        return file, options.revision
    folder, revision = find_checkpoint(options.checkpoint, options.revision, ["*.pth", "config.json"])
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        named = ", ".join(path.name for path in files) or "none"
        raise ModelError(f"{folder}: expected one .pth file, found {named}; give the file: -o checkpoint=FILE.pth")
    return files[0], revision


def _stretched(values: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return functional.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)
