"""Who judges what: every category, kinds no one knows, order, versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import verifiers
from tracemill.core import Category, Problem, Response, UnknownKindError
from tracemill.recipe.sections.verify import Verify
from verifiers import Attempt, VerifierSet, attempt_of, verifier_versions, verify
from verifiers.dispatch import verifiers_for

ROOT = Path(__file__).parents[2]


def test_every_category_has_an_entry() -> None:
    """Each category of the schema is dispatched to a verifier with a version."""
    assert set(verifiers_for(Verify())) == set(Category)
    assert verifier_versions() == {
        "choice": "choice@5",
        "code": "code@6",
        "instruction": "instructions@5",
        "math": "math@8",
        "other": "none@1",
    }
    assert list(verifier_versions()) == sorted(verifier_versions())


def test_what_has_no_verifier_is_never_correct() -> None:
    """An open answer is unverifiable by rule and unscored, also where answer and reference are the same."""
    [verdict] = verify([Attempt("r", "other", "?", "5", reference_answer="5", problem_id="p")], VerifierSet(Verify()))
    assert (verdict.response_id, verdict.problem_id) == ("r", "p")
    assert (verdict.outcome, verdict.score, verdict.extracted) == ("unverifiable", None, None)
    assert (verdict.verifier, verdict.detail) == ("none@1", "no verifier for other")


@pytest.mark.parametrize("category", list(Category))
def test_what_nothing_can_be_judged_by_is_unverifiable(category: Category) -> None:
    """Without reference, tests and constraints no category has anything to judge by, and none says correct."""
    with VerifierSet(Verify()) as verifier_set:
        [verdict] = verify([Attempt("r", category, "?", "5")], verifier_set)
    assert (verdict.outcome, verdict.score) == ("unverifiable", None)


def test_an_unknown_category_raises() -> None:
    """A category that no one knows is an error that names it and the known ones."""
    with pytest.raises(UnknownKindError, match=r"poetry[\s\S]*math"):
        list(verify([Attempt("r", "poetry", "?", "5")], VerifierSet(Verify())))


def test_verdicts_keep_order_and_ids() -> None:
    """Verdicts come in the order of the attempts, whether a worker was asked or not."""
    boxes = ["5", r"\frac{10}{2}", r"\sqrt{25}", "6", "x=5"] * 20
    attempts = [
        Attempt(
            f"r{i}", "math" if i % 7 else "other", "?", rf"\boxed{{{box}}}", reference_answer="5", problem_id=f"p{i}"
        )
        for i, box in enumerate(boxes)
    ]
    verdicts = list(verify(attempts, VerifierSet(Verify(workers=2))))
    assert [(v.response_id, v.problem_id) for v in verdicts] == [(a.id, a.problem_id) for a in attempts]
    expected = ["unverifiable" if i % 7 == 0 else "incorrect" if i % 5 == 3 else "correct" for i in range(100)]
    assert [v.outcome for v in verdicts] == expected


def test_an_attempt_is_made_of_problem_and_response() -> None:
    """A problem and a response make one attempt, with the ids of both."""
    problem = Problem("p", "s", 0, "math", "1+1?", [], "2", None, None, [], "MIT", False, {})
    response = Response("r", "p", "teacher", "m", 0, "hm", r"\boxed{2}", None, "stop", 1, 1)
    attempt = attempt_of(problem, response)
    assert (attempt.id, attempt.problem_id, attempt.think, attempt.reference_answer) == ("r", "p", "hm", "2")
    assert [v.outcome for v in verify([attempt], VerifierSet(Verify()))] == ["correct"]


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Neither the package nor the dispatch imports sympy; the package alone imports no Arrow either."""
    script = (
        "import sys, verifiers; assert 'pyarrow' not in sys.modules; import verifiers.dispatch; "
        "assert not {'sympy', 'math_verify', 'prefect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The package's lazy names do not hide a misspelling."""
    with pytest.raises(AttributeError, match="verfy"):
        _ = verifiers.verfy
