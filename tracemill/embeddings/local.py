"""An embedding model in this process, by sentence-transformers, on a GPU where torch finds one.

The library is optional (``make embeddings``) and imported here only.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from tracemill.core import TeacherMisconfiguredError, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.deduplicate import Embedding


class LocalEmbedder:
    """A sentence-transformers model; calls take turns, since each uses all cores.

    Raises:
        TeacherMisconfiguredError: the library is not installed, or the model cannot be loaded.
    """

    def __init__(self, settings: Embedding) -> None:
        self._settings, self._turn = settings, threading.Lock()
        library = _library()
        self._model = _loaded(library, settings)
        self._limit = settings.max_tokens or self._model.max_seq_length
        described = {
            "model": settings.model,
            "revision": settings.revision,
            "weights": _digest(self._model),
            "prefix": settings.prefix,
            "max_tokens": self._limit,
        }
        self.made = f"sentence-transformers {library.__version__}, {json_text(described)}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See :class:`tracemill.embeddings.embeddings.Embedder`."""
        prompts = [self._settings.prefix + text for text in texts]
        vectors = np.zeros((len(texts), self._model.get_embedding_dimension()), np.float32)
        with self._turn:
            whole = self._whole(prompts)
            if whole:
                vectors[whole] = self._model.encode(
                    [prompts[row] for row in whole],
                    batch_size=self._settings.batch_rows,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
        return vectors

    def _whole(self, prompts: list[str]) -> list[int]:
        """Return places of the prompts that the model takes whole, its own marks included."""
        if not prompts:
            return []
        tokens = self._model.tokenizer(prompts, truncation=False, padding=False, verbose=False)
        return [row for row, ids in enumerate(tokens["input_ids"]) if len(ids) <= self._limit]


def _library() -> Any:
    try:
        import sentence_transformers
    except ImportError as error:
        raise TeacherMisconfiguredError(
            "the recipe names an embedding model, and sentence-transformers is not installed",
            got=str(error),
            expected="the optional environment for embeddings",
            remedy="run `make embeddings`; or serve the model with vLLM, and set engine=server beside it in the recipe",
        ) from error
    return sentence_transformers


def _loaded(library: Any, settings: Embedding) -> Any:
    where = settings.path or settings.model
    try:
        model = library.SentenceTransformer(where, revision=settings.revision or None if not settings.path else None)
    except (OSError, ValueError) as error:
        raise TeacherMisconfiguredError(
            f"cannot load the embedding model {where}",
            got=f"{type(error).__name__}: {error}",
            expected="a Hub id that can be reached, or a folder with a sentence-transformers model",
            remedy="check model and revision in the recipe; without network set path to the model's folder",
        ) from error
    if settings.max_tokens is not None:
        model.max_seq_length = settings.max_tokens
    return model


def _digest(model: Any) -> str:
    """Of the weights themselves, so that the name of a folder is not taken for what is in it."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]
