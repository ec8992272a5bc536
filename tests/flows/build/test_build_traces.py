"""The build flow and its traces: what is kept of every response, and what is published beside the dataset."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer
from tracemill.runs import diff
from tracemill.runs import story as story_of
from tracemill.runs.why import render


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer(wrong_percent=50) as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    small = SmallRun(tmp_path / "run", teacher.url)
    small.rows = [question(n) for n in range(30)]
    return small


def loaded(run: SmallRun, folder: str, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("parquet", data_dir=str(run.out / folder), split="train", cache_dir=str(cache))


def test_every_response_is_on_file(run: SmallRun) -> None:
    """traces/ has every response once, published or with the reason; the dataset's rows are joined by response."""
    run.build()
    traces = {row["response_id"]: row for row in table(run.out, "traces").to_pylist()}
    assert set(traces) == set(table(run.out, "verdicts")["response_id"].to_pylist())
    published = {row["response_id"] for row in table(run.out, "dataset").to_pylist()}
    assert {name for name, row in traces.items() if row["published"]} == published
    for row in traces.values():
        assert row["think_words"] > 0
        assert row["published"] == (row["reason"] is None)
        assert row["reason"] in {None, "incorrect"}
        assert row["published"] or json.loads(row["evidence"])["verifier"].startswith("math@")
    assert not (run.out / "preferences").exists()
    assert not (run.out / "rejected").exists()


def test_a_rule_of_the_recipe_drops_with_evidence(run: SmallRun, teacher: ChatServer) -> None:
    """A correct response that breaks a rule is dropped as quality, with what shows it; nothing is asked again."""
    before = funnel(run.build())
    asked = teacher.received
    run.sections["quality"] = {"length": {"think_words": {"min": 3}}}
    built = run.build()
    counts = funnel(built)
    # The trace that came along says one word; the teacher says four.
    assert counts["quality/think_words_too_few"] == 1
    assert counts["published/rows"] == before["published/rows"] - 1
    assert teacher.received == asked
    dropped = [row for row in table(run.out, "dropped").to_pylist() if row["stage"] == "quality"]
    evidence = json.loads(dropped[0]["evidence"])
    assert evidence == {"faults": {"think_words_too_few": 1}, "min": 3, "think_words": 1}
    reasons = [row["reason"] for row in table(run.out, "traces").to_pylist()]
    assert reasons.count("think_words_too_few") == 1


@pytest.fixture
def pair_run(run: SmallRun) -> SmallRun:
    """Half of the traces that came along are wrong in their first, right in their second try."""
    rows = []
    for number in range(8):
        asked = question(2000 + number)
        right = int(asked["answer"].split("#### ")[1])
        texts = [f"<think>\nsum\n</think>\n<answer>\\boxed{{{right + k}}}</answer>" for k in (1, 0, 2)]
        rows.append({"prompt": asked["question"], "final": str(right), "texts": texts})
    lines = []
    for row in rows:
        user = {"role": "user", "content": row["prompt"], "info": {"source": "x", "reference_answer": row["final"]}}
        lines.append({"messages": [user, {"role": "assistant", "content": row["texts"][0], "info": {}}]})
    run.folder.mkdir(parents=True)
    (run.folder / "wrong.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run.sections["sources"] = [{"name": "wrong", "path": "wrong.jsonl", "layout": "am"}]
    run.sections["select"] = {"preferences": 1, "rejected": True}
    return run


def test_preferences_pair_right_with_wrong(pair_run: SmallRun, tmp_path: Path) -> None:
    """A problem with a right and a wrong response gives a pair, with both verdicts; it loads; the manifest names it."""
    built = pair_run.build()
    data = loaded(pair_run, "preferences", tmp_path / "cache")
    rows = {row["id"]: row for row in table(pair_run.out, "dataset").to_pylist()}
    assert set(data["id"]) == set(rows)
    assert 0 < data.num_rows < 8
    for pair in data:
        row = rows[pair["id"]]
        assert pair["prompt"] == row["messages"][:-1]
        assert pair["chosen"] == row["messages"][-1:]
        assert pair["rejected"][0]["content"].startswith("<think>\nsum\n</think>\n<answer>")
        assert (pair["chosen_outcome"], pair["rejected_outcome"]) == ("correct", "incorrect")
        assert pair["chosen_id"] == row["response_id"] != pair["rejected_id"]
        assert "expected" in pair["rejected_detail"]
    assert data.features["chosen"].feature["content"].dtype == "large_string"
    names = [name for name in built.manifest["files"] if name.startswith("preferences/")]
    assert [built.manifest["files"][name]["rows"] for name in names] == [data.num_rows]


def test_rejected_traces_say_why(pair_run: SmallRun, tmp_path: Path) -> None:
    """rejected/ has the text of every response that is not in the dataset, with the reason; together they are all."""
    pair_run.build()
    data = loaded(pair_run, "rejected", tmp_path / "cache")
    n_traces = table(pair_run.out, "traces").num_rows
    assert data.num_rows + table(pair_run.out, "dataset").num_rows == n_traces
    assert set(data["reason"]) == {"incorrect"}
    assert all(data["answer"])
    assert set(data["origin"]) == {"source", "teacher"}
    before = pair_run.digests()
    assert pair_run.build().n_executed == 0
    assert pair_run.digests() == before


def test_outputs_that_are_not_wanted_any_more_go(pair_run: SmallRun) -> None:
    """A recipe without preferences leaves none behind."""
    pair_run.build()
    pair_run.sections["select"] = {}
    pair_run.build()
    assert not list(pair_run.out.glob("preferences/*.parquet"))


def test_frequent_strings_are_dropped_and_published_rows_stay(run: SmallRun, teacher: ChatServer) -> None:
    """What all responses say is dropped over all shards; a row that was published before it became frequent stays."""
    run.rows = [question(n) for n in range(12)]
    before = funnel(run.build())
    run.sections["frequent_strings"] = {"tokens": 6, "times": before["published/rows"]}
    same = run.build()
    assert funnel(same) == before
    old = {row["response_id"] for row in table(run.out, "dataset").to_pylist()}
    run.rows += [question(n) for n in range(20, 32)]
    grown = funnel(run.build())
    rows = table(run.out, "dataset").to_pylist()
    new = {row["response_id"] for row in rows}
    assert old <= new
    assert grown["quality/frequent_string"] > 0
    assert {row["origin"] for row in rows if row["response_id"] not in old} == set()
    dropped = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "frequent_string"]
    evidence = json.loads(dropped[0]["evidence"])
    assert evidence["times"] > before["published/rows"]
    assert "answer is" in evidence["text"]
    asked = teacher.received
    run.sections["collect"] = {"shard_rows": 5}
    assert run.build().n_executed > 0
    assert teacher.received == asked


def test_models_filter_in_a_build(run: SmallRun) -> None:
    """Perplexity and safety drop with their reasons, the funnel adds up, and a second build sends nothing."""
    before = funnel(run.build())
    with JudgeServer(
        logprobs=lambda text: [-5.0 if "Note 7 " in text else -1.0],
        says=lambda text: "unsafe: hate" if "Note 9 " in text else "safe",
    ) as judge:
        server = {"model": "judge", "base_urls": [judge.url], "give_up_after_s": 5}
        run.sections["perplexity"] = server
        run.sections["safety"] = {"guard": server}
        run.sections["select"] = {"prefer": "lowest_perplexity"}
        counts = funnel(run.build())
        asked = judge.received
        assert run.build().n_executed == 0
        run.sections["perplexity"] = {**server, "threshold": 200}
        assert funnel(run.build())["published/rows"] >= counts["published/rows"]
        # Only what the other threshold lets through is new to the guard.
        assert judge.received - asked == counts.get("quality/perplexity", 0)
    n_dropped = counts.get("quality/perplexity", 0) + counts.get("quality/unsafe", 0)
    assert n_dropped > 0
    assert counts["published/rows"] == before["published/rows"] - n_dropped
    gone = {key.split("/")[0] for key in counts} - {"source", "published"}
    assert counts["source/rows"] == counts["published/rows"] + sum(
        n for key, n in counts.items() if key.split("/")[0] in gone
    )
    card = (run.out / "dataset" / "README.md").read_text()
    assert "`judge` (perplexity of question and response): at most 200." in card
    assert "`judge` (safety judge): what it calls unsafe is left out." in card
    rows = [row for row in table(run.out, "traces").to_pylist() if row["published"]]
    assert all(row["perplexity"] == pytest.approx(math.exp(5 if row["perplexity"] > 10 else 1)) for row in rows)


def test_all_passing_responses_are_rows(run: SmallRun, teacher: ChatServer) -> None:
    """With select.keep: all a problem has a row a passing response of its own text, in every file; nobody is asked."""
    run.folder.mkdir(parents=True)
    with (run.folder / "several.jsonl").open("w") as lines:
        for number in range(3000, 3006):
            asked = question(number)
            right = asked["answer"].split("#### ")[1]
            said = [f"<think>\n{way}\n</think>\n\n\\boxed{{{right}}}" for way in ("sum", "add", "sum", "count")]
            row = {"problem": asked["question"], "answer": right, "generations": said}
            lines.write(json.dumps(row | {"correctness_math_verify": [True] * 4, "uuid": str(number)}) + "\n")
    run.sections["sources"] = [{"name": "several", "path": "several.jsonl", "layout": "openr1_math"}]
    one = funnel(run.build())
    first = {row["id"]: row["response_id"] for row in table(run.out, "dataset").to_pylist()}
    run.sections["select"] = {"keep": "all"}
    assert funnel(run.build()) == one
    rows = table(run.out, "dataset").to_pylist()
    assert (len(first), len(rows), teacher.received) == (6, 18, 0)
    assert {row["id"] for row in rows} == set(first)
    assert set(first.values()) <= {row["response_id"] for row in rows}
    published = {row["response_id"] for row in table(run.out, "traces").to_pylist() if row["published"]}
    assert published == {row["response_id"] for row in rows}
    with zstandard.open(run.out / "am.jsonl.zst", "rt", encoding="utf-8") as lines:
        assert sum(1 for _ in lines) == len(rows)
    assert "**18 rows answer 6 problems.**" in (run.out / "dataset/README.md").read_text()
    found = diff(run.out / "versions/0001", run.out)
    assert (found.rows_a, found.rows_b, found.added.rows, found.changed.why) == (6, 6, 0, {"response": 6})
    (story,) = render(story_of(run.out, rows[0]["id"])).split("published: response ")[1:]
    assert story.split(" in dataset/")[0].count(",") == 2
