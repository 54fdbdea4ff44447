"""Texts as unit vectors, each text embedded once."""

from __future__ import annotations

from egobench.embedding.sentence import SentenceEmbedder
from egobench.embedding.store import VectorStore

__all__ = ["SentenceEmbedder", "VectorStore"]
