"""A fake embedder for unit tests: a vector says which words a text has, not in which order."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np

from tracemill.text.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DIMENSIONS = 96


class FakeEmbedder:
    """Knows nothing of numbers, takes at most ``longest`` words, and breaks off on a text that says ``poison``.

    Attributes:
        seen: every text that it was asked for.
    """

    def __init__(self, made: str = "fake 1", longest: int = 100, poison: str | None = None) -> None:
        self.made, self._longest, self.poison = made, longest, poison
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        if self.poison and any(self.poison in text for text in texts):
            raise KeyError("no such thing")
        return np.array([self._vector(words(text)) for text in texts], np.float32).reshape(-1, DIMENSIONS)

    def _vector(self, tokens: list[str]) -> NDArray[np.float32]:
        vector = np.zeros(DIMENSIONS, np.float32)
        if len(tokens) > self._longest:
            return vector
        for token in tokens:
            if not token.isdigit():
                vector += _direction(token)
        return vector


@functools.cache
def _direction(token: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
