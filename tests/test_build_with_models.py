"""Builds in which models have a word in the verdicts: a judge's rescue, and scores with a calibrated cut."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from small_run import NOUNS, PLACES, SmallRun, digests_of, question, table

from tracemill.export import published
from tracemill.store import Store

pytestmark = pytest.mark.usefixtures("prefect_flows")


class JudgingServer(ChatServer):
    """Solves sums as a teacher; as a judge says what it was told to, and as a grader grades by the answer's digest."""

    word = "same"

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        reply = super()._reply(body, prompt)
        pattern = body.get("structured_outputs", {}).get("regex", "")
        if "verdict" in pattern:
            reply["choices"][0]["message"]["content"] = json.dumps({"verdict": self.word})
        elif "coherence" in pattern:
            grade = int(reply["id"][:2], 16) % 5
            grades = dict.fromkeys(("coherence", "correctness", "helpfulness"), grade)
            reply["choices"][0]["message"]["content"] = json.dumps(grades)
        return reply


def asked(server: ChatServer, word: str) -> int:
    return sum(word in body.get("structured_outputs", {}).get("regex", "") for body in server.bodies)


def test_a_judge_rescues_what_the_rule_calls_wrong(tmp_path: Path) -> None:
    """Wrong answers that the judge calls the same are published with its verdict; both stand in verdicts/."""
    with JudgingServer(wrong_percent=30) as server:
        run = SmallRun(tmp_path, server.url, rows=[question(n) for n in range(40)])
        run.build()
        lost = Counter(table(run.out, "dropped")["reason"].to_pylist())["incorrect"]
        assert lost > 3
        n_requests = server.received
        run.sections["judge"] = {"model": "demo", "base_urls": [server.url]}
        run.build()
        assert "incorrect" not in table(run.out, "dropped")["reason"].to_pylist()
        assert server.received - n_requests == asked(server, "verdict")
        samples = table(run.out, "dataset").to_pylist()
        rescued = [row for row in samples if row["verifier"] == "judge-equivalence@1"]
        assert Counter(row["origin"] for row in rescued) == {"teacher": lost, "source": 1}
        verdicts = table(run.out, "verdicts").to_pylist()
        by_response: dict[str, list[str]] = {}
        for row in verdicts:
            by_response.setdefault(row["response_id"], []).append(f"{row['verifier']} {row['outcome']}")
        pairs = [found for found in by_response.values() if len(found) == 2]
        assert all(sorted(found) == ["judge-equivalence@1 correct", "math@1 incorrect"] for found in pairs)
        assert {row["provenance"] for row in verdicts if row["verifier"].startswith("judge")} == {"model demo"}
        n_requests, digests = server.received, run.digests()
        again = run.build()
        assert (server.received, again.n_executed, digests_of(run.out)) == (n_requests, 0, digests)


def test_a_judge_that_agrees_changes_nothing_but_the_evidence(tmp_path: Path) -> None:
    """Where the judge calls every wrong answer different, the same rows are lost, to the rule's verdict."""
    with JudgingServer(wrong_percent=30) as server:
        server.word = "different"
        run = SmallRun(tmp_path, server.url, rows=[question(n) for n in range(30)])
        run.build()
        lost = Counter(table(run.out, "dropped")["reason"].to_pylist())
        run.sections["judge"] = {"model": "demo", "base_urls": [server.url]}
        run.build()
        assert Counter(table(run.out, "dropped")["reason"].to_pylist()) == lost
        assert asked(server, "verdict") >= lost["incorrect"] > 3


def open_question(number: int) -> dict[str, str]:
    words = " ".join(NOUNS[(number * step) % len(NOUNS)] for step in (1, 3, 5, 7, 11))
    return {"prompt": f"Write letter {number} from the {PLACES[number % len(PLACES)]} about {words} and {number * 37}."}


def test_open_answers_pass_by_a_calibrated_cut(tmp_path: Path) -> None:
    """Open answers are scored, the cut comes from a calibration set and is recorded, growth does not move it."""
    with JudgingServer() as server:
        run = SmallRun(tmp_path, server.url, rows=[])
        run.sections["sources"] = [{"name": "open", "path": "open.jsonl", "layout": "plain", "category": "other"}]
        run.sections["reward"] = {
            "kind": "rubric", "model": "demo", "base_urls": [server.url], "quantile": 0.5, "calibration_rows": 20,
        }  # fmt: skip
        run.sections["decontaminate"] = {"benchmarks": []}
        source = tmp_path / "open.jsonl"
        source.write_text("".join(json.dumps(open_question(n)) + "\n" for n in range(40)))
        run.build()
        details = [row["detail"] for row in table(run.out, "verdicts").to_pylist() if row["verifier"] == "rubric@1"]
        assert len(details) == 40
        [cut] = {detail.split("cut ")[1].split(":")[0] for detail in details}
        outcomes = Counter(row["outcome"] for row in table(run.out, "dataset").to_pylist())
        assert 10 <= outcomes["correct"] <= 32
        assert asked(server, "coherence") == 40, "the calibration set is not paid for twice"
        n_teacher = server.received - asked(server, "coherence")
        assert n_teacher == 40
        with source.open("a") as file:
            file.writelines(json.dumps(open_question(n)) + "\n" for n in range(40, 60))
        run.build()
        grown = [row["detail"] for row in table(run.out, "verdicts").to_pylist() if row["verifier"] == "rubric@1"]
        assert {detail.split("cut ")[1].split(":")[0] for detail in grown} == {cut}
        assert len(grown) == 60
        assert published(Store(str(run.out))) is not None
