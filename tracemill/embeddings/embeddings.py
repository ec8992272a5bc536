"""Embeddings: prompts as vectors of unit length, stored so that equal meanings are a matter of a cosine.

Vectors are stored as float16: a component loses at most 1 part in 2,048, a cosine about 0.00002 (docs/duplicates.md). A
prompt that the model cannot take whole has no vector: two long prompts may begin alike and ask different things.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.deduplicate import Embedding

    Vectors = NDArray[np.float32]

VERSION: Final = 1  # of what is stored: unit length, float16, zeros where there is no vector
METADATA: Final = b"embedding"


class Embedder(Protocol):
    """Whoever turns texts into vectors: :func:`shared_embedder`'s, or a fake in tests. Threads may share one."""

    @property
    def made(self) -> str:
        """What vectors depend on beside the text: library, version, model and parameters."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector a text, in order: shape (texts, dimensions), of any length; zeros for a text it cannot take whole.

        Raises:
            ServerUnavailableError: a server does not answer; try again later.
            TracemillError: the model cannot be used at all.
        """


def embeddings(problems: pa.Table, embedder: Embedder) -> pa.Table:
    """``id`` and ``embedding`` of each problem: float16 of unit length, or zeros; the metadata says how it was made."""
    texts = problems["prompt"].to_pylist()
    vectors = unit(embedder.embed(texts)) if texts else np.zeros((0, 1), np.float32)
    halves = pa.array(vectors.astype(np.float16).ravel(), pa.float16())
    columns = {
        "id": problems["id"].cast(pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(halves, vectors.shape[1]),
    }
    return pa.table(columns).replace_schema_metadata({METADATA: f"tracemill {VERSION}, {embedder.made}"})


def embedded_again(problems: pa.Table, embedder: Embedder, before: pa.Table) -> pa.Table:
    """:func:`embeddings` of problems some of which have a vector already; only the others are asked for.

    Args:
        problems: as the last time, or other ones: then all are asked for.
        embedder: whoever turns texts into vectors.
        before: what came of them then.
    """
    made = f"tracemill {VERSION}, {embedder.made}".encode()
    ids = problems["id"].cast(pa.string())
    if (before.schema.metadata or {}).get(METADATA) != made or before["id"].to_pylist() != ids.to_pylist():
        return embeddings(problems, embedder)
    known = stored_vectors(before)
    missing = np.flatnonzero(~known.any(axis=1))
    fresh = stored_vectors(embeddings(problems.take(missing), embedder))
    width = fresh.shape[1] if fresh.any() else known.shape[1]
    vectors = np.zeros((len(known), width), np.float16)
    if known.shape[1] == width:
        vectors[:] = known
    if fresh.any():
        vectors[missing] = fresh
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float16()), width)
    return pa.table({"id": ids, "embedding": values}).replace_schema_metadata({METADATA: made})


def unit(vectors: Vectors) -> Vectors:
    """Return the vectors at length 1; zeros, and what is no number, as zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    usable = np.isfinite(lengths) & (lengths > 0)
    scaled: Vectors = np.where(usable, vectors / np.where(usable, lengths, 1), 0).astype(np.float32)
    return scaled


def stored_vectors(table: pa.Table) -> NDArray[np.float16]:
    """Return the vectors of a table of :func:`embeddings`, shape (rows, dimensions)."""
    column = table["embedding"].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False)
    found: NDArray[np.float16] = values.reshape(table.num_rows, column.type.list_size)
    return found


_shared: dict[tuple[int, str], Embedder] = {}
_shared_lock = threading.Lock()


def shared_embedder(settings: Embedding) -> Embedder:
    """Return the one embedder of this process for these settings: a model is loaded once.

    Raises:
        TracemillError: the library or the model is not there.
    """
    name = (os.getpid(), settings.model_dump_json())
    with _shared_lock:
        if name not in _shared:
            _shared[name] = _made(settings)
        return _shared[name]


def _made(settings: Embedding) -> Embedder:
    if settings.engine == "server":
        from tracemill.embeddings.server import ServedEmbedder

        return ServedEmbedder(settings)
    from tracemill.embeddings.local import LocalEmbedder

    return LocalEmbedder(settings)
