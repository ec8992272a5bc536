"""Verdicts as rewards of other trainers: of the real ``python -m verifiers``, in a process of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.support.needs import ROOT


@pytest.fixture(scope="module")
def rewards() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("verdict_process", ROOT / "deployments/rewards/verdict_process.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACEMILL_PYTHON", sys.executable)
        patch.setenv("TRACEMILL_VERIFIERS", "--workers 1")
        yield module
        module.shared_process().close()


def extra(**changes: Any) -> dict[str, Any]:
    judged_by = {"id": "i", "ability": "math", "prompt": "What is 1 + 1?", "reference_answer": "2"}
    return judged_by | {"tests": None, "constraints": None} | changes


def test_a_verdict_is_a_reward(rewards: ModuleType) -> None:
    """The function for verl gives 1 to what is correct, and 0 to a wrong, an empty and an unreadable answer."""
    texts = [
        "<think>t</think>\n<answer>\\boxed{2}</answer>",
        "<think>t</think>\n\\boxed{3}",
        "<think>t</think>",
        "\\boxed{",
    ]
    assert [rewards.compute_score("s", text, "2", extra()) for text in texts] == [1.0, 0.0, 0.0, 0.0]


def test_many_responses_are_judged_at_once_in_order(rewards: ModuleType) -> None:
    """Every pending verdict is that of its own response."""
    process = rewards.shared_process()
    rows = [rewards.row_of(extra(id=str(n)), "math", f"\\boxed{{{n}}}") for n in range(20)]
    pending = [process.judge(row) for row in rows]
    verdicts = [each.result(timeout=60) for each in pending]
    assert [verdict["id"] for verdict in verdicts] == [str(n) for n in range(20)]
    assert [rewards.reward_of(verdict) for verdict in verdicts] == [float(n == 2) for n in range(20)]


def test_what_was_not_judged_is_an_error(rewards: ModuleType) -> None:
    """A program without a sandbox, a reference nobody can use, and a process that has ended are never a reward of 0."""
    program = extra(ability="code", tests='{"kind":"assert","asserts":["assert f() == 1"]}')
    with pytest.raises(rewards.NoVerdictError, match="sandbox"):
        rewards.compute_score("s", "```python\ndef f(): return 1\n```", "", program)
    with pytest.raises(rewards.NoVerdictError, match="unverifiable"):
        rewards.compute_score("s", "\\boxed{2}", "", extra(reference_answer=None))
    ended = rewards.VerdictProcess(options=("--workers", "x"))
    with pytest.raises(rewards.NoVerdictError, match="has ended with 2"):
        ended.judge(rewards.row_of(extra(), "math", "\\boxed{2}")).result(timeout=60)
    ended.close()
