"""The likeliest language of a text, by py3langid's model, walked through in machine code.

py3langid (a fork of Lui and Baldwin's langid.py, ACL 2012) reads a text's bytes with an automaton that knows 100,000
byte strings, and weighs those that it met by naive Bayes: the sum of log(1 + count) x log P(string | language), divided
by the root of the number of bytes, so that a probability means about the same for short texts and long ones. Tables and
arithmetic are its own; only the loops are ours, since in Python they take a microsecond a byte:
``tests/text/test_language_model.py`` compares the two.

Sums are taken in the text's order, in doubles, without the interpreter's lock: a text has the same language in every
thread and process.
"""

from __future__ import annotations

import functools
import math
import threading
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.core.compiled import compiled
from tracemill.text.language.codes import CODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_LANGUAGE: Final = "zxx"  # ISO 639-2's code for it: numbers, markup, identifiers

_SAME: Final = {"nn": "no"}  # Nynorsk and Bokmål


class _Model(NamedTuple):
    """Tables of the model, reduced to the languages that are told apart.

    Attributes:
        moves: next state by row and byte, 256 a row.
        rows: row of ``moves`` by state.
        features: number of the byte string that is complete in a state, or -1.
        weights: log-probabilities of the byte strings by column.
        priors: log-probabilities of the columns.
        label_of: number of the label by column; several columns may be one language.
        labels: languages, and ``zxx``.
    """

    moves: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    features: NDArray[np.int32]
    weights: NDArray[np.float32]
    priors: NDArray[np.float64]
    label_of: NDArray[np.int64]
    labels: tuple[str, ...]


def likeliest(text: str) -> tuple[str, float]:
    """Return the likeliest language of a text, or ``zxx``, and its probability among all that there are codes of."""
    model = _model()
    normal = unicodedata.normalize("NFC", text.lower() if text.isupper() else text)
    data = np.frombuffer(normal.encode("utf-8", "surrogatepass"), np.uint8)
    scores = _scores(data, model.moves, model.rows, model.features, model.weights, model.priors)
    shares = np.exp((scores - scores.max()) / math.sqrt(len(data) or 1))
    by_label = np.bincount(model.label_of, shares)
    best = int(by_label.argmax())
    return model.labels[best], float(by_label[best] / shares.sum())


@compiled
def _scores(
    data: NDArray[np.uint8],
    moves: NDArray[np.uint32],
    rows: NDArray[np.uint32],
    features: NDArray[np.int32],
    weights: NDArray[np.float32],
    priors: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Logarithms of unnormalised probabilities by column; zeros where no byte string was met."""
    met, n_met, state = np.empty(len(data), np.int32), 0, np.int64(0)
    for byte in data:
        state = np.int64(moves[np.int64(rows[state]) * 256 + np.int64(byte)])
        if features[state] >= 0:
            met[n_met] = features[state]
            n_met += 1
    scores = np.zeros(len(priors), np.float64)
    counts = _counted(met, n_met)
    for place in range(n_met):
        if counts[place] > 0:
            often = math.log1p(counts[place])
            for column in range(len(scores)):
                scores[column] += often * weights[met[place], column]
    if n_met > 0:
        for column in range(len(scores)):
            scores[column] += priors[column]
    return scores


@compiled
def _counted(met: NDArray[np.int32], n_met: int) -> NDArray[np.int64]:
    """Return how often each byte string was met, where it was met first; zeros where it was met again."""
    mask = 15
    while mask < 2 * n_met:
        mask = 2 * mask + 1
    first = np.zeros(mask + 1, np.int64)  # an open hash table of places, from 1
    counts = np.zeros(n_met, np.int64)
    for place in range(n_met):
        slot = (np.int64(met[place]) * 40503) & mask
        while first[slot] > 0 and met[first[slot] - 1] != met[place]:
            slot = (slot + 1) & mask
        if first[slot] == 0:
            first[slot] = place + 1
        counts[first[slot] - 1] += 1
    return counts


_loading: Final = threading.Lock()


def _model() -> _Model:
    """Return the model, loaded once: 1 to 2 s, 70 MB."""
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> _Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    wanted = {*CODES, *_SAME, NO_LANGUAGE}
    columns = [column for column, code in enumerate(identifier.nb_classes) if code in wanted]
    codes = [_SAME.get(code, code) for code in (identifier.nb_classes[column] for column in columns)]
    labels = tuple(dict.fromkeys(codes))
    return _Model(
        moves=np.frombuffer(identifier.tk_nextmove, np.uint32),
        rows=np.asarray(identifier.tk_row, np.uint32),
        features=np.asarray(identifier.tk_output, np.int32),
        weights=np.ascontiguousarray(identifier.nb_ptc[:, columns], np.float32),
        priors=np.asarray(identifier.nb_pc[columns], np.float64),
        label_of=np.array([labels.index(code) for code in codes]),
        labels=labels,
    )
