"""Verification: a response and what it is judged by -> a verdict. Knows no Prefect.

Reading order: protocol, dispatch; maths (verifier, text, words; symbolic and numeric in the workers), workers (pool,
process, main); choice_answer (choice_options); instructions; programs (verifier, text, cases, judges, results),
sandbox; models (judge, reward, rubric, scores).
Names are looked up when used: every worker process imports this package, and must not import Arrow and pydantic with it
(0.5 s and 270 MB of address space each).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifiers.dispatch import VerifierSet, verifier_versions, verify
    from verifiers.protocol import Attempt, attempt_of
    from verifiers.workers.pool import WorkerPool

_HOME = {
    "Attempt": "protocol",
    "VerifierSet": "dispatch",
    "WorkerPool": "workers.pool",
    "attempt_of": "protocol",
    "verifier_versions": "dispatch",
    "verify": "dispatch",
}

__all__ = ["Attempt", "VerifierSet", "WorkerPool", "attempt_of", "verifier_versions", "verify"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
