"""Catalogue of maths, science and mixed traces."""

from __future__ import annotations

from typing import Final

from tracemill.sources.dataset import Dataset

REASONING: Final[dict[str, Dataset]] = {
    "math-lighteval": Dataset(
        hub="DigitalLearningGmbH/MATH-lighteval",
        layout="math",
        licence="MIT",
        evidence="card (licence, derived copies); columns: code. Split test holds MATH-500: never use it as a source.",
    ),
}
