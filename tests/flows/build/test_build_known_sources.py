"""A build from data sets of the catalogue: whose traces are reused, whose licences are published, what is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs.small_run import SmallRun, funnel, table
from tests.support.servers.chat_server import ChatServer


def asked(name: str, left: int) -> str:
    return f"The {name} keeps its own ledger of sums for the whole of this long year. What is {left} + 5?"


def boxed(value: int) -> str:
    return f"It is \\boxed{{{value}}}."


def openr1(left: int, **columns: Any) -> dict[str, Any]:
    generations = [f"<think>no</think>\n\n{boxed(1)}", f"<think>yes</think>\n\n{boxed(left + 5)}"]
    row = {"problem": asked("harbour", left), "answer": str(left + 5), "question_type": "math-word-problem"}
    return row | {"generations": generations, "correctness_math_verify": [False, True], "uuid": f"u{left}"} | columns


def general(left: int, model: str, licence: str) -> dict[str, Any]:
    row = {"question": asked("museum", left), "reference_answer": str(left + 5), "model_name": model}
    return row | {"model_reasoning": "hm", "model_answer": boxed(left + 5), "question_license": licence}


FILES: dict[str, list[dict[str, Any]]] = {
    "openr1-math-default": [openr1(100), openr1(200, question_type="proof")],
    "general-thought-430k": [
        general(300, "Qwen/QwQ-32B", "CC-BY-NC-4.0"),
        general(300, "DeepSeek/DeepSeek-R1", "CC-BY-NC-4.0"),
        general(400, "Qwen/QwQ-32B", "MIT"),
    ],
    "s1k": [
        {"question": asked("castle", 500), "solution": "505", "cot_type": "math"}
        | {"thinking_trajectories": ["hm"], "attempt": boxed(505)}
    ],
    "metamathqa": [
        {"query": asked("forest", left), "response": f"So.\nThe answer is: {left + 5}", "type": kind}
        for left, kind in [(600, "GSM_AnsAug"), (700, "GSM_FOBAR")]
    ],
}


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer(wrong_percent=0) as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    run = SmallRun(tmp_path / "run", teacher.url)
    run.folder.mkdir()
    for name, rows in FILES.items():
        (run.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources: list[dict[str, Any]] = [{"known": name, "path": f"{name}.jsonl"} for name in FILES]
    sources[-1]["only"] = {"type": ["GSM_AnsAug"]}
    run.sections["sources"] = sources
    return run


def test_a_build_from_the_catalogue(run: SmallRun, teacher: ChatServer) -> None:
    """R1's right traces are published without asking; Gemini's and QwQ's are not, and rows left out say why."""
    built = run.build()
    rows = {row["prompt"].split("What is ")[1]: row for row in table(run.out, "dataset").to_pylist()}
    assert {prompt: (row["origin"], row["model"]) for prompt, row in rows.items()} == {
        "100 + 5?": ("source", "deepseek-r1"),
        "300 + 5?": ("source", "deepseek-r1"),
        "400 + 5?": ("teacher", "demo"),
        "500 + 5?": ("teacher", "demo"),
        "600 + 5?": ("teacher", "demo"),
    }
    told = " ".join(body["messages"][-1]["content"] for body in teacher.bodies)
    assert [left for left in range(100, 800, 100) if f"What is {left} + 5?" in told] == [400, 500, 600]
    licences = {prompt: (row["licence"], row["non_commercial"]) for prompt, row in rows.items()}
    assert licences["300 + 5?"] == ("CC-BY-NC-4.0", True)
    assert licences["400 + 5?"] == ("MIT", False)
    assert licences["500 + 5?"] == ("Apache-2.0", False)
    counts = funnel(built)
    assert (counts["collect/proof"], counts["collect/not_selected"]) == (1, 1)
    assert counts["clean/exact_duplicate"] == 1
    assert (
        "| general-thought-430k | general_thought | MIT (by row) | 3 | 2 |"
        in (run.out / "dataset/README.md").read_text()
    )


def test_other_models_traces_are_reused_if_the_recipe_says_so(run: SmallRun, teacher: ChatServer) -> None:
    """With their models named, Gemini's and QwQ's traces stand for the teacher's."""
    run.sections["distill"] = {"reuse_models": ["deepseek-r1", "qwq-32b", "gemini-2.0-flash-thinking"]}
    run.build()
    models = sorted(row["model"] for row in table(run.out, "dataset").to_pylist())
    assert models == ["deepseek-r1", "deepseek-r1", "demo", "gemini-2.0-flash-thinking", "qwq-32b"]
    told = " ".join(body["messages"][-1]["content"] for body in teacher.bodies)
    assert "What is 500 + 5?" not in told
