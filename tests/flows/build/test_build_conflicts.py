"""Contradicting references in a whole run: checked before, built, published, and met again in a later batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.support.runs.small_run import SmallRun, question, table
from tests.support.servers.chat_server import ChatServer

CONFLICT = "conflicting_references"


def copy(number: int, reference: str) -> dict[str, Any]:
    """The question of that number, in another case, with another reference."""
    asked = question(number)
    return {"question": asked["question"].upper(), "answer": f"So it is.\n#### {reference}"}


def right(number: int) -> str:
    """The reference of the question of that number."""
    return str(question(number)["answer"].split("#### ")[1])


def published(run: SmallRun) -> set[str]:
    """The questions in the dataset."""
    return {row["prompt"].strip() for row in table(run.out, "dataset").to_pylist()}


def test_contradictions_from_the_check_to_later_batches(tmp_path: Path) -> None:
    """The check lists every row of every contradiction; a build tells of them everywhere; a later copy settles one."""
    with ChatServer() as teacher:
        run = SmallRun(tmp_path, teacher.url)
        settled, open_, same = copy(10, "7"), copy(11, "8"), copy(12, f"{right(12)}.0")
        run.rows = [question(number) for number in range(20)]
        run.rows += [settled, copy(10, f"{right(10)}.0") | {"question": question(10)["question"] + " "}, open_, same]
        run.write()
        summary = run.check(tmp_path / "references").summary
        assert summary["conflicts"] == {"questions": 2, "rows": 3}
        listed = pq.read_table(tmp_path / "references" / "conflicting_references.parquet").to_pylist()
        lost = sorted(row["reference"] for row in listed if row["fate"] == CONFLICT)
        assert lost == sorted(["7", "8", right(11)])
        agreeing = {row["fate"] for row in listed if row["reference"] in {right(10), f"{right(10)}.0"}}
        assert agreeing == {"kept", "exact_duplicate"}
        assert len(listed) == 5
        run.build()
        dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == CONFLICT]
        assert sorted(json.loads(row["evidence"])["reference"] for row in dropped) == sorted(["7", "8", right(11)])
        manifest = json.loads((run.out / "manifest.json").read_text())
        assert manifest["conflicts"] == {"questions": 2, "rows": 3}
        for name in ("report.html", "dataset/README.md"):
            assert "2 questions came in copies whose references contradict each other" in (run.out / name).read_text()

        before = published(run)
        assert question(11)["question"] not in before
        run.rows += [copy(11, right(11)) | {"question": question(11)["question"] + "  "}, copy(13, "9")]
        run.build()
        dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == CONFLICT]
        assert sorted(json.loads(row["evidence"])["reference"] for row in dropped) == sorted(["7", "8", right(11), "9"])
        assert published(run) == before | {question(11)["question"]}
