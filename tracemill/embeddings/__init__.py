"""Texts to vectors, by a model in this process or on a server."""

from __future__ import annotations

from tracemill.embeddings.embeddings import Embedder, embedded_again, shared_embedder, stored_vectors

__all__ = [
    "Embedder",
    "embedded_again",
    "shared_embedder",
    "stored_vectors",
]
