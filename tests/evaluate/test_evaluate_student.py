"""Evaluations without Prefect: what is asked, what is paid, what is scored, what is refused."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import evaluate_student
from tests.support.runs.small_evaluation import SmallEvaluation
from tests.support.runs.small_run import digests_of, question, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.judge_server import JudgeServer
from tests.support.warm import start as programs
from tracemill.cli.main import main
from tracemill.core import RecipeError, SourceError, StoreError, TeacherMisconfiguredError, TracemillError
from tracemill.evaluate.publication import HUB_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


def content(number: int, *, right: bool = True) -> str:
    return f"<think>\nadd\n</think>\n\nIt is \\boxed{{{120 + 10 * number + (0 if right else 1)}}}."


def given(items: range, samples: int = 2, **more: Any) -> list[dict[str, Any]]:
    return [
        {"benchmark": "sums", "item": str(n), "sample": s, "content": content(n, right=s == 0 or n % 2 == 0)} | more
        for n in items
        for s in range(samples)
    ]


def test_more_samples_pay_for_those_alone_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    """The index of a sample is in its key; what a run publishes are the same bytes when it is run again."""
    with ChatServer(wrong_percent=40) as server:
        small = SmallEvaluation(tmp_path, server.url)
        first = small.run()
        assert server.completed == 24
        before = digests_of(tmp_path / "out")
        assert small.run().n_executed == 0
        small.benchmark["samples"] = 5
        more = small.run()
        assert server.completed == 60
        small.benchmark["samples"] = 2
        again = small.run()
    assert (server.completed, digests_of(tmp_path / "out")) == (60, before)
    assert again.scores == first.scores
    score = more.scores["benchmarks"]["sums"]
    verdicts = table(tmp_path / "out", "verdicts").to_pylist()
    assert len(verdicts) == 24
    assert (score["samples"], score["items"], list(score["pass_at"])) == (5, 12, ["1", "2", "4", "5"])


def test_an_evaluation_that_is_finished_is_found_without_prefect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same scores, and nothing done; where a sample or the published folder is missing, a flow run does it."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}), ChatServer(wrong_percent=40) as server:
        small = SmallEvaluation(tmp_path, server.url)
        first = small.run()
        monkeypatch.setattr("sys.argv", ["x", str(small.recipe_path), "--out", str(tmp_path / "out")])
        monkeypatch.setattr(
            evaluate_student, "evaluate_student", started := Mock(side_effect=RecipeError("a flow run"))
        )
        assert evaluate_student.main() == 0
        told = capsys.readouterr().out
        assert "everything was cached" in told
        assert f"{100 * first.scores['benchmarks']['sums']['avg']:.1f} %" in told
        received, before = server.received, digests_of(tmp_path / "out")
        (tmp_path / "out/manifest.json").rename(tmp_path / "manifest.json")
        assert evaluate_student.main() == 1
        (tmp_path / "manifest.json").rename(tmp_path / "out/manifest.json")
        small.benchmark["samples"] = 3
        small.write()
        assert evaluate_student.main() == 1
        assert (started.call_count, server.received, digests_of(tmp_path / "out")) == (2, received, before)


def test_everything_that_a_score_is_made_of_is_published(tmp_path: Path) -> None:
    """Items, responses and verdicts join by their ids, and come to the score; the page and the Hub's file tell it."""
    with ChatServer(wrong_percent=40) as server:
        small = SmallEvaluation(tmp_path, server.url, benchmark={"template": "none@1"})
        scores = small.run().scores
    out = tmp_path / "out"
    items, verdicts = table(out, "items").to_pylist(), table(out, "verdicts").to_pylist()
    responses = {row["id"] for row in table(out, "responses").to_pylist()}
    assert {row["response_id"] for row in verdicts} == responses
    right = sum(row["outcome"] == "correct" for row in verdicts)
    assert 0 < right < 24
    assert sum(item["avg"] for item in items) / 12 == pytest.approx(right / 24)
    assert scores["benchmarks"]["sums"]["avg"] == pytest.approx(right / 24, abs=1e-6)
    assert json.loads((out / "scores.json").read_text()) == scores
    page = (out / "report.html").read_text()
    assert f"{100 * right / 24:.1f} %" in page
    assert "<svg" in page
    assert not (out / HUB_FOLDER).exists()  # a file is no dataset of the Hub
    assert "step by step" not in server.bodies[0]["messages"][-1]["content"]


def test_a_judge_has_a_second_look_where_the_recipe_names_one(tmp_path: Path) -> None:
    """At what the rules call wrong, and at questions that no rule can judge, which are refused without one."""
    rows = [{"prompt": f"Who wrote book {n}, and why?", "answer": f"Author {n}, out of envy"} for n in range(4)]
    benchmark = {"layout": "plain", "category": "other", "samples": 1}
    answers = given(range(4), 1)
    for n, answer in enumerate(answers):
        answer["content"] = f"<think>\nwho\n</think>\n\n{'It was' if n else 'Not'} author {n}, for envy."
    small = SmallEvaluation(tmp_path, rows=rows, benchmark=benchmark, student={"responses": "given.jsonl"})
    small.write_rows("given.jsonl", answers)
    with pytest.raises(SourceError, match="no answer can be judged"):
        small.run()
    with JudgeServer(lambda asked: "correct" if "It was author" in asked else "incorrect") as judge:
        small.sections["judge"] = {"model": "judge", "base_urls": [judge.url], "categories": ["other"]}
        scores = small.run().scores
        assert judge.completed == 4
        assert small.run().n_executed == 0
    assert (scores["benchmarks"]["sums"]["avg"], scores["student"]["judge"]) == (0.75, "judge")
    assert scores["benchmarks"]["sums"]["maj"] is None
    verdicts = table(tmp_path / "out", "verdicts").to_pylist()
    assert {row["verifier"].split("-")[0] for row in verdicts} == {"judge"}


def test_a_student_that_answers_under_another_name_is_told(tmp_path: Path) -> None:
    """The name that stands in the responses is in scores and report beside the one that was asked."""
    with ChatServer() as server:
        server.answers_as = "demo-2026-11"
        scores = SmallEvaluation(tmp_path, server.url).run().scores
    assert (scores["student"]["model"], scores["student"]["answered_as"]) == ("demo", ["demo-2026-11"])
    assert "demo-2026-11" in (tmp_path / "out" / "report.html").read_text()
    assert set(table(tmp_path / "out", "responses").column("model").to_pylist()) == {"demo-2026-11"}


def test_a_known_benchmark_tells_the_hub(tmp_path: Path) -> None:
    """Its place there, the score in per cent, and in the notes how it was had."""
    rows = [{"id": n, "problem": question(n)["question"], "answer": f"0{120 + 10 * n}"} for n in range(30)]
    benchmark = {"name": "aime-2024", "known": "aime-2024", "path": "rows.jsonl", "layout": "plain", "samples": 1}
    with ChatServer(wrong_percent=0) as server:
        SmallEvaluation(tmp_path, server.url, rows, benchmark).run()
    [entry] = yaml.safe_load((tmp_path / "out" / HUB_FOLDER / "aime-2024.yaml").read_text())
    assert entry["dataset"] == {"id": "HuggingFaceH4/aime_2024", "task_id": "aime-2024"}
    assert entry["value"] == 100
    assert "avg@1 over 30 items" in entry["notes"]
    assert "T 0.6" in entry["notes"]
    assert table(tmp_path / "out", "items").column("item").to_pylist()[0] == "0"


def test_responses_of_somebody_else_are_judged_without_a_server(tmp_path: Path) -> None:
    """Labels that are known come out: every other item is right in one of two samples only."""
    small = SmallEvaluation(tmp_path, student={"responses": "given.jsonl"})
    small.folder.mkdir(exist_ok=True)
    small.write_rows("given.jsonl", given(range(12)))
    scores = small.run().scores
    score = scores["benchmarks"]["sums"]
    assert (score["avg"], score["maj"], score["pass_at"]["2"]) == (0.75, 0.75, 1.0)
    assert scores["student"] == {"model": "demo", "revision": "", "responses": "given"}


def test_a_response_that_was_cut_off_is_wrong_and_told(tmp_path: Path) -> None:
    """It counts as wrong, and the bounds say what it would be if it were right."""
    rows = given(range(12), 1)
    rows[0] |= {"content": "<think>\nso long", "finish_reason": "length"}
    small = SmallEvaluation(tmp_path, benchmark={"samples": 1}, student={"responses": "given.jsonl"})
    small.folder.mkdir(exist_ok=True)
    small.write_rows("given.jsonl", rows)
    score = small.run().scores["benchmarks"]["sums"]
    assert score["avg"] == pytest.approx(11 / 12, abs=1e-6)
    assert score["cut_off"] == pytest.approx(1 / 12, abs=1e-6)
    assert score["bounds"] == [pytest.approx(11 / 12, abs=1e-6), 1.0]


def test_a_majority_is_by_the_verifiers_equivalence(tmp_path: Path) -> None:
    """Two spellings of one wrong answer outvote a right one."""
    boxes = ["130", "1/2", "0.5"]
    rows = [
        {"benchmark": "sums", "item": "0", "sample": n, "content": f"<think>\n.\n</think>\n\n\\boxed{{{box}}}"}
        for n, box in enumerate(["120", *boxes[1:]])
    ]
    small = SmallEvaluation(
        tmp_path, rows=[question(0)], benchmark={"samples": 3}, student={"responses": "given.jsonl"}
    )
    small.folder.mkdir(exist_ok=True)
    small.write_rows("given.jsonl", rows)
    score = small.run().scores["benchmarks"]["sums"]
    assert (score["avg"], score["maj"]) == (pytest.approx(1 / 3, abs=1e-6), 0.0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(given(range(11)), "1 items have fewer samples than declared", id="item missing"),
        pytest.param(given(range(12), 1), "item 0 of sums: 1 of 2", id="sample missing"),
        pytest.param(given(range(13)), "item 12 of sums, which is not evaluated", id="unknown item"),
        pytest.param([*given(range(12)), given(range(1))[0]], "which is there twice", id="twice"),
        pytest.param(given(range(12), 3), "is sample 2 of item 0", id="sample over"),
        pytest.param([{"benchmark": "sums"}], "lacks item, sample, content", id="keys"),
        pytest.param(given(range(12), 2, benchmark="other"), "benchmark other, which is not", id="benchmark"),
        pytest.param(given(range(12), 2, sample=True), "another type", id="type"),
    ],
)
def test_responses_that_are_not_what_was_declared_are_refused(tmp_path: Path, rows: list[Any], words: str) -> None:
    """Never divided by a number of samples that are not there."""
    small = SmallEvaluation(tmp_path, student={"responses": "given.jsonl"})
    small.write_rows("given.jsonl", rows)
    with pytest.raises(SourceError, match=words):
        small.run()


def test_a_refused_sample_makes_the_score_incomplete_and_never_lower(tmp_path: Path) -> None:
    """Its item counts with what was judged; the next run asks for it alone."""
    rows = [question(n) for n in range(12)]
    rows[3]["question"] = "POISON " + rows[3]["question"] + " " + "x" * 2000
    with ChatServer(wrong_percent=0, max_model_len=1000) as server:
        small = SmallEvaluation(tmp_path, server.url, rows, student={"refused_share": 0.2})
        scores = small.run().scores
        score = scores["benchmarks"]["sums"]
        assert (scores["complete"], score["missing"], score["scored_items"], score["avg"]) == (False, 2, 11, 1.0)
        assert score["bounds"] == [pytest.approx(11 / 12, abs=1e-6), 1.0]
        missing = [row for row in table(tmp_path / "out", "verdicts").to_pylist() if not row["response_id"]]
        assert [(row["item"], row["outcome"]) for row in missing] == [("3", "request_refused")] * 2
        received = server.received
        assert small.run().n_executed > 0
        assert server.completed == 22
        assert server.received > received
        small.student["refused_share"] = 0
        with pytest.raises(TeacherMisconfiguredError, match=r"student \(demo\) refused 2 of"):
            small.run()


@pytest.mark.parametrize(
    ("rows", "benchmark", "words"),
    [
        pytest.param(
            [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(28)],
            {"known": "aime-2024", "layout": "plain"},
            r"got: 28 items\n.*expected: 30",
            id="not whole",
        ),
        pytest.param([question(1), "broken"], {}, "not_an_object", id="broken row"),
        pytest.param([question(1), question(1)], {}, "twice, by their question", id="twice"),
        pytest.param([question(1)], {"dates": {"from": "2024-08", "to": "2025-01"}}, "without a date", id="no dates"),
        pytest.param(
            [{"prompt": "Who?", "answer": "nobody knows, and it depends on what is meant by that, as always"}],
            {"layout": "plain"},
            "no answer can be judged",
            id="unusable reference",
        ),
    ],
)
def test_a_benchmark_that_cannot_be_scored_is_refused_before_a_request(
    tmp_path: Path, rows: list[Any], benchmark: dict[str, Any], words: str
) -> None:
    """Nobody is asked: the student of this recipe is nowhere."""
    with pytest.raises(SourceError, match=f"(?s){words}"):
        SmallEvaluation(tmp_path, rows=rows, benchmark=benchmark).run()


def contest(number: int, date: str) -> dict[str, Any]:
    tests = [{"input": f"{number}\n", "output": f"{number}\n", "testtype": "stdin"}]
    return {
        "question_content": f"Read number {number} and print it again, please.",
        "question_id": f"q{number}",
        "contest_date": f"{date}T00:00:00",
        "public_test_cases": json.dumps(tests),
        "private_test_cases": "[]",
        "metadata": "{}",
        "starter_code": "",
    }


def test_a_window_without_items_names_the_days_that_there_are(tmp_path: Path) -> None:
    """Of LiveCodeBench."""
    rows = [contest(n, f"2024-0{n}-15") for n in range(1, 5)]
    benchmark = {"layout": "livecodebench", "category": "code", "dates": {"from": "2025-01", "to": "2025-02"}}
    with pytest.raises(SourceError, match=r"(?s)2025-01-01 to 2025-02-28.*between 2024-01-15 and 2024-04-15"):
        SmallEvaluation(tmp_path, rows=rows, benchmark=benchmark).run()


def test_only_items_of_the_window_are_asked(tmp_path: Path) -> None:
    """Both ends are within it, a month is all its days; programs have no majority; a benchmark has its own prompt."""
    rows = [contest(n, f"2024-0{n}-15") for n in range(1, 5)]
    benchmark = {"layout": "livecodebench", "category": "code", "template": "lcb@1", "samples": 1}
    benchmark["dates"] = {"from": "2024-02-15", "to": "2024-03"}
    with ChatServer() as server:
        scores = SmallEvaluation(tmp_path, server.url, rows, benchmark).run().scores
        assert server.completed == 2
        asked = server.bodies[0]["messages"][0]["content"]
    score = scores["benchmarks"]["sums"]
    assert score["dates"] == {"from": "2024-02-15", "to": "2024-03-15"}
    assert score["maj"] is None
    assert asked.startswith("### Question:\nRead number")
    assert asked.endswith("### Answer: (use the provided format with backticks)\n\n")


def test_a_context_that_is_too_short_is_found_before_the_first_question(tmp_path: Path) -> None:
    """As of a teacher."""
    with ChatServer(max_model_len=63) as server:
        with pytest.raises(TracemillError, match="max_model_len 63"):
            SmallEvaluation(tmp_path, server.url).run()
        assert server.received == 0


def test_a_baseline_is_compared_item_by_item(tmp_path: Path) -> None:
    """The difference stands in the scores with its interval; another kind of run is no baseline."""
    for name, wrong in (("a", 60), ("b", 0)):
        with ChatServer(wrong_percent=wrong) as server:
            small = SmallEvaluation(tmp_path / name, server.url)
            if name == "b":
                small.sections["baseline"] = str(tmp_path / "a" / "out")
                small.student["temperature"] = 0.8
            found = small.run()
    difference = found.scores["benchmarks"]["sums"]["difference"]
    assert difference["difference"] > 0.2
    assert difference["b"] == 1.0
    assert difference["sign_flip_exact"]
    assert found.scores["baseline"]["asked_otherwise"] == {"temperature": [0.6, 0.8]}
    small.sections["baseline"] = str(tmp_path / "b" / "out")
    with pytest.raises(RecipeError, match="own directory"):
        small.run()
    small.sections["baseline"] = str(tmp_path)
    with pytest.raises(StoreError, match="no finished evaluation"):
        small.run()


def test_items_in_the_training_set_are_told_apart(tmp_path: Path) -> None:
    """Planted items and no others are inside; the scores of the groups stand beside the score."""
    small = SmallEvaluation(tmp_path, student={"responses": "given.jsonl"})
    small.sections["trained_on"] = {"path": "training.jsonl", "layout": "gsm8k"}
    small.folder.mkdir(exist_ok=True)
    small.write_rows("given.jsonl", given(range(12)))
    planted = [question(n) for n in (2, 5, 7)]
    planted[0]["question"] = f"Read this first. {planted[0]['question']} Think well."
    others = [
        {"question": f"A train leaves at {n} and meets {2 * n} cows. Who waves?", "answer": "#### 1"} for n in range(5)
    ]
    small.write_rows("training.jsonl", [*planted, *others])
    scores = small.run().scores
    groups = scores["benchmarks"]["sums"]["by_group"]
    items = {row["item"]: row["group"] for row in table(tmp_path / "out", "items").to_pylist()}
    assert {item for item, group in items.items() if group == "inside"} == {"2", "5", "7"}
    assert groups["inside"]["avg"] == pytest.approx((1 + 0.5 + 0.5) / 3, abs=1e-6)
    assert sum(group["items"] for group in groups.values()) == 12
    assert scores["trained_on"] == {"name": "trained-on", "prompts": 8}


@pytest.mark.parametrize(
    ("student", "benchmark", "words"),
    [
        ({"max_tokenz": 1}, {}, "did you mean max_tokens"),
        ({}, {"known": "aime-2023"}, "did you mean aime-2025"),
        ({}, {"dates": {"from": "2025-02", "to": "2025-01"}}, "is after to 2025-01"),
        ({}, {"dates": {"from": "2025-13", "to": "2026-01"}}, "is no day"),
        ({}, {"layout": "gsm9k"}, "no such layout"),
        ({}, {"hub": "openai/gsm8k"}, "exactly one of path and hub"),
        ({}, {"samples": 0}, "greater than 0"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused(
    tmp_path: Path, student: dict[str, Any], benchmark: dict[str, Any], words: str
) -> None:
    """By the key, with what was expected, before anything runs."""
    with pytest.raises(RecipeError, match=words):
        SmallEvaluation(tmp_path, student=student, benchmark=benchmark).run()


def test_items_have_a_schema_that_scores_can_be_made_of(tmp_path: Path) -> None:
    """What is published of an item is plain columns."""
    small = SmallEvaluation(tmp_path, student={"responses": "given.jsonl"})
    small.folder.mkdir(exist_ok=True)
    small.write_rows("given.jsonl", given(range(12)))
    small.run()
    [path] = (tmp_path / "out" / "items").glob("*.parquet")
    assert {"benchmark", "item", "avg", "maj", "n", "n_correct", "n_missing"} <= set(pq.read_schema(path).names)


def test_two_evaluations_are_compared_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`report` shows the scores, `diff` the paired differences; both for people and for scripts."""
    for name, rows in (("a", given(range(12))), ("b", given(range(12), right=None))):
        small = SmallEvaluation(tmp_path / name, student={"responses": "given.jsonl"})
        small.folder.mkdir(exist_ok=True)
        answers = [row | {"content": content(int(row["item"]))} if name == "b" else row for row in rows]
        small.write_rows("given.jsonl", answers)
        small.run()

    def typed(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["tracemill", *words])
        assert main() == 0
        return capsys.readouterr().out

    runs = [str(tmp_path / name / "out") for name in ("a", "b")]
    assert "75.0 %" in typed("report", runs[0])
    assert json.loads(typed("report", runs[0], "--json"))["scores"]["benchmarks"]["sums"]["avg"] == 0.75
    assert "+25.0" in typed("diff", *runs)
    found = json.loads(typed("diff", *runs, "--json"))["benchmarks"]["sums"]
    assert (found["better"], found["worse"], found["difference_shown"]) == (6, 0, True)
    assert found["sign_flip_p"] == pytest.approx(2 / 2**6, abs=1e-6)


def test_a_killed_evaluation_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL while it asks: what was answered is not asked again, but for what was in flight."""
    with ChatServer(wrong_percent=40, latency_s=0.25) as server:
        small = SmallEvaluation(tmp_path / "killed", server.url, student={"max_in_flight": 2})
        small.write()
        words = ["tests.support.runs.plain_evaluation", str(small.recipe_path), str(small.folder / "out")]
        with (tmp_path / "log").open("wb") as log:
            killed = programs.start(*words, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while server.completed < 7 and time.monotonic() < deadline:
            time.sleep(0.05)
        killed.kill()
        killed.wait()
        assert 7 <= server.completed < 24
        small.run()
        assert server.completed <= 24 + 2
        SmallEvaluation(tmp_path / "undisturbed", server.url).run()
    assert digests_of(tmp_path / "killed" / "out") == digests_of(tmp_path / "undisturbed" / "out")


def test_where_nothing_could_be_judged_there_is_no_score(tmp_path: Path) -> None:
    """Not zero: it is not scored, incomplete, and the page says so; nothing is written for the Hub."""
    rows = [question(n) | {"question": f"POISON {'x' * 2000} {n}"} for n in range(3)]
    with ChatServer(max_model_len=1000) as server:
        scores = SmallEvaluation(tmp_path, server.url, rows, student={"refused_share": 1}).run().scores
    score = scores["benchmarks"]["sums"]
    assert (score["avg"], score["complete"], score["bounds"]) == (None, False, [0, 1])
    assert "not scored" in (tmp_path / "out" / "report.html").read_text()
