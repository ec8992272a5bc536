"""Verdicts on programs, by kinds that have once been judged wrongly: what is right, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.programs.program_faults import FAULTS, Fault
from tracemill.recipe.sections.verify import CodeTests, Sandbox, Verify
from verifiers import Attempt, VerifierSet, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_docker


@pytest.fixture(scope="module")
def verifier_set() -> Iterator[VerifierSet]:
    with VerifierSet(Verify(workers=1, code=CodeTests(time_limit_s=4), sandbox=Sandbox(containers=1))) as verifier_set:
        yield verifier_set


@pytest.mark.parametrize("row", FAULTS, ids=[f"{row.kind}: {row.right}" for row in FAULTS])
def test_each_kind_has_its_verdict(verifier_set: VerifierSet, row: Fault) -> None:
    """A right program is correct or, where nothing can be told, unverifiable; a wrong one never is correct."""
    attempt = Attempt("r", "code", "?", f"```python\n{row.program}\n```", tests=row.tests)
    [verdict] = verify([attempt], verifier_set)
    assert verdict.outcome == row.right, verdict.detail
    assert (verdict.cause is not None) == (row.right == "unverifiable")
