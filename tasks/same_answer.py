"""The verifiers' word on references of duplicates: the same answer, another one, or nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.verify import bench_of
from tracemill.conflicting_references import Reference
from tracemill.recipe_verify import Verify
from tracemill.schema import Category, digest
from verifiers import verifier_versions
from verifiers.same_answer import same_answers

# A new version of the verifiers that compare is a new one of the stages that ask them.
VERSION = digest([verifier_versions()[category] for category in (Category.MATH, Category.CHOICE)])[:8]


def agreement(pairs: Sequence[tuple[Reference, Reference]]) -> list[bool | None]:
    """See :func:`verifiers.same_answer.same_answers`. Most batches have no such pairs, and start no verifiers."""
    return same_answers(pairs, bench_of(Verify())) if pairs else []
