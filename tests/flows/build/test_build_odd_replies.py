"""A whole build against a teacher with odd replies: what is published, what is asked again, and where the rest is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.odd_replies import Odd, OddServer, reply

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nIt is \\boxed{SUM}."}
PARTS = {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is \\boxed{SUM}."}]}
# By question: what the first sample of it is answered with; every later one is answered as it should be.
ODD: dict[int, Any] = {
    10: reply(PARTS),
    11: reply({"content": None}),
    12: reply({"content": "", "reasoning_content": "hm"}),
    13: reply({"content": None, "refusal": "I can't help with that."}),
    14: reply({"content": "It is \\boxed{SU"}, "content_filter"),
    15: reply({"content": None, "tool_calls": [{"function": {"name": "python"}}]}, "tool_calls"),
    16: reply(ANSWER, None),
    17: reply({"content": 4}),
    18: {"error": {"message": "the provider is down", "code": 502}},
    19: reply(ANSWER, usage={"prompt_tokens": "3", "completion_tokens": -7.5}),
    20: b"<html>too many users</html>",
    21: b'data: {"choices": []}\n\n',
    22: {"choices": []},
}
NO_ANSWER = {11: "no_answer", 12: "no_answer", 13: "refused", 14: "refused", 15: "no_answer", 16: "unfinished"}
PASSING = {17, 18, 20, 21, 22}  # trouble, which the next try does not meet


def _question(prompt: str) -> int | None:
    return next((n for n in ODD if question(n)["question"] in prompt), None)


def _odd(prompt: str, n_asked: int) -> Odd | None:
    number = _question(prompt)
    if number is None or n_asked > 1:
        return None
    said = ODD[number]
    total = question(number)["answer"].split("#### ")[1]
    return Odd(said if isinstance(said, bytes) else json.dumps(said).replace("SUM", total).encode())


def _run(folder: Path, server: OddServer, rounds: int) -> SmallRun:
    run = SmallRun(folder, server.url)
    distill = run.recipe()["distill"]
    run.sections = {"distill": distill | {"max_rounds": rounds}, "select": {"rejected": True, "preferences": 2}}
    return run


def test_odd_replies_are_asked_again(tmp_path: Path) -> None:
    """With a second round every problem is published, by its first real answer; a second build asks nothing."""
    with OddServer(_odd) as server:
        run = _run(tmp_path / "run", server, rounds=2)
        built = run.build()
        rows = {_question(row["prompt"]): row for row in table(run.out, "dataset").to_pylist()}
        assert funnel(built)["published/rows"] == 61
        assert set(ODD) <= set(rows)
        assert {n: server.asked.count(rows[n]["messages"][0]["content"] + _suffix(server)) for n in ODD} == {
            n: 2 if n in NO_ANSWER or n in PASSING else 1 for n in ODD
        }
        assert (rows[10]["think"], rows[10]["n_judged"], rows[11]["n_judged"]) == ("hm", 1, 1)
        assert rows[19]["prompt_tokens"] == 3
        assert rows[19]["completion_tokens"] is None
        traces = table(run.out, "traces").to_pylist()
        told = {trace["outcome"] for trace in traces if trace["outcome"] not in {"correct", "incorrect"}}
        assert told == set(NO_ANSWER.values())
        assert {trace["reason"] for trace in traces if trace["outcome"] in told} == told
        assert not any(trace["published"] for trace in traces if trace["outcome"] in told)
        rejected = table(run.out, "rejected").to_pylist()
        assert sorted(row["reason"] for row in rejected if row["reason"] != "incorrect") == sorted(NO_ANSWER.values())
        assert not any(pair["rejected_outcome"] in told for pair in table(run.out, "preferences").to_pylist())
        n_asked = len(server.asked)
        run.sections["run"] = {"ledger": str(tmp_path / "run" / "store" / "ledger"), "store": str(tmp_path / "other")}
        run.build()
        assert len(server.asked) == n_asked


def test_without_rounds_they_are_dropped_by_their_names(tmp_path: Path) -> None:
    """Without another round a problem without an answer is dropped as what it is, with the words, never as wrong."""
    with OddServer(_odd) as server:
        run = _run(tmp_path / "run", server, rounds=1)
        counts = funnel(run.build())
        assert {name: counts.get(f"verify/{name}") for name in ("no_answer", "refused", "unfinished", "incorrect")} == {
            "no_answer": 3,
            "refused": 2,
            "unfinished": 1,
            "incorrect": None,
        }
        dropped = {_question(row["prompt"] or ""): row for row in table(run.out, "dropped").to_pylist()}
        assert {n: dropped[n]["reason"] for n in NO_ANSWER} == NO_ANSWER
        assert "I can't help with that." in dropped[13]["evidence"]


def _suffix(server: OddServer) -> str:
    """What the template adds to every question."""
    return "\n\n" + server.asked[0].rpartition("\n\n")[2]
