"""Embeddings from servers of the OpenAI protocol, as ``vllm serve MODEL --runner pooling``.

The servers are waited for, retried and shared as a teacher's are. The ledger keeps no vectors: a shard's are in the
store as soon as it is done, and after a kill at most the shards under way are asked for again.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracemill.core import TeacherMisconfiguredError, json_text
from tracemill.inference import ModelClient, Refusal, Request
from tracemill.inference.chat_reply import mapping, model_in, usage_in
from tracemill.inference.dialects import Trouble, encoded, parsed, server_words
from tracemill.ledger import Completion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracemill.inference.servers import Patience
    from tracemill.recipe.sections.deduplicate import Embedding


class ServedEmbedder:
    """A model behind one or more servers; any number of threads may share it."""

    def __init__(self, settings: Embedding, patience: Patience | None = None) -> None:
        self._settings = settings
        self._refused: dict[str, Refusal] = {}
        self._asked = ModelClient(settings, Unrecorded(), patience=patience, dialect=EmbeddingDialect(settings))
        described = {"model": settings.model, "revision": settings.revision, "prefix": settings.prefix}
        self.made = f"server, {json_text(described)}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See :class:`tracemill.embeddings.embeddings.Embedder`; a text that the server refuses has no vector.

        Raises:
            ServerUnavailableError: no server answers.
            TeacherMisconfiguredError: a server answers, but serves no embeddings of this model, or refuses every text.
        """
        prompts = [self._settings.prefix + text for text in texts]
        size = self._settings.batch_rows
        found = self._batches([prompts[start : start + size] for start in range(0, len(prompts), size)])
        lengths = {len(vector) for vector in found if vector is not None}
        if len(lengths) > 1:
            raise TeacherMisconfiguredError(
                f"vectors of different lengths from {', '.join(self._settings.base_urls)}",
                got=str(sorted(lengths)),
                expected="servers of one model",
                remedy="check what is served at each of deduplicate.semantic.base_urls",
            )
        if texts and not lengths:
            return np.zeros((len(texts), 1), np.float32)
        vectors = np.zeros((len(texts), lengths.pop() if lengths else 1), np.float32)
        for row, vector in enumerate(found):
            if vector is not None:
                vectors[row] = vector
        return vectors

    def refusals(self, texts: Sequence[str]) -> list[Refusal]:
        """Return of texts that have been asked for, what was refused the last time."""
        keys = [_request([self._settings.prefix + text], self._settings).key for text in texts]
        return [self._refused[key] for key in keys if key in self._refused]

    def close(self) -> None:
        """Close the connections."""
        self._asked.close()

    def _batches(self, batches: Sequence[Sequence[str]]) -> list[NDArray[np.float32] | None]:
        """Return one vector a text; texts of a batch that is refused are asked for one by one."""
        answers = self._asked.complete([_request(batch, self._settings) for batch in batches])
        found: list[NDArray[np.float32] | None] = []
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, Completion):
                self._refused.pop(answer.key, None)
                found.extend(_vectors(answer.content, len(batch)))
            elif len(batch) == 1:
                self._refused[answer.key] = answer
                found.append(None)
            else:
                found.extend(self._batches([[text] for text in batch]))
        return found


@dataclass(frozen=True)
class EmbeddingDialect:
    """The OpenAI embeddings protocol, with vectors in base64: a quarter of the bytes of numbers in JSON."""

    server: Embedding

    def url(self, base_url: str) -> str:
        """Return the embeddings."""
        return base_url + "/embeddings"

    def body(self, request: Request) -> bytes:
        """Return the texts of a batch."""
        texts = [message["content"] for message in request.messages]
        return encoded({"model": self.server.model, "input": texts, "encoding_format": "base64"})

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """Return the vectors of all texts, one after the other, as base64."""
        try:
            payload = mapping(parsed(raw), "the reply")
            by_index = {int(row["index"]): _vector(row["embedding"]) for row in payload["data"]}
            vectors = [by_index[place] for place in range(len(request.messages))]
            tokens, model = usage_in(payload).prompt_tokens, model_in(payload, self.server.model)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            return Trouble(f"the reply holds no embeddings ({error!r}): {server_words(raw)}")
        if len(vectors) != len(payload["data"]) or len({len(vector) for vector in vectors}) != 1:
            return Trouble(f"{len(payload['data'])} embeddings of {len(request.messages)} texts: {server_words(raw)}")
        content = base64.b64encode(np.concatenate(vectors).tobytes()).decode()
        return Completion(request.key, content, None, None, tokens, 0, model)


def _vector(embedding: object) -> NDArray[np.float32]:
    """Return a vector in base64, as it was asked for, or as the list of numbers that servers without base64 send.

    Raises:
        ValueError: it is neither, has no numbers, or some that cannot be counted with.
    """
    if isinstance(embedding, list):
        with np.errstate(over="ignore"):  # what is too large is seen below
            vector = np.array(embedding, np.float64).astype("<f4")
    else:
        vector = np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")  # type: ignore[arg-type]
    if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
        raise ValueError("an embedding that is no vector of numbers")
    return vector


class Unrecorded:
    """What a teacher asks of a ledger, for answers that are kept elsewhere."""

    def refresh(self) -> None:
        """Nothing to look at."""

    def get(self, _key: str) -> Completion | None:
        """Never known."""
        return None

    def get_many(self, _keys: Iterable[str]) -> dict[str, Completion]:
        """None known."""
        return {}

    def put(self, completion: Completion) -> None:
        """Kept by whoever asked."""

    def require_room(self) -> None:
        """No room is needed."""

    def sync(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to close."""


def _request(texts: Sequence[str], settings: Embedding) -> Request:
    """Named by what is asked, as every request: equal batches of two threads are one."""
    messages = [{"role": "text", "content": text} for text in texts]
    key = hashlib.sha256(json_text([settings.named, *texts]).encode()).hexdigest()
    return Request(key, messages, {})


def _vectors(content: str, n_texts: int) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(content), "<f4").reshape(n_texts, -1)
