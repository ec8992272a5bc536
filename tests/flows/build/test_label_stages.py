"""The label stages and the build with them: what is asked, paid for once, thinned out, published and counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.stage import perform
from tasks.label import LabelRound, Measure, label_by_model_shard, label_shard, measure_plan
from tests.support.needs import ROOT
from tests.support.runs.killed_run import finish, has_paid_for, kill_when, n_manifests
from tests.support.runs.samples import problem
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer, Fault
from tests.support.servers.judge_server import JudgeServer
from tracemill.core import (
    Problem,
    RecipeError,
    RunnerError,
    ServerUnavailableError,
    TeacherMisconfiguredError,
    rows_of,
    table_of,
)
from tracemill.label import labels_of
from tracemill.label.downsampling import draw
from tracemill.recipe.sections.label import DIFFICULTIES, Label, Labeller, Thinning
from tracemill.store import Manifest, Store
from tracemill.text.tokens import count_tokens

MARK = re.compile(r"Note (\d+) ")
TOKENIZER = ROOT / "demo" / "teacher" / "model" / "tokenizer.json"


def number_of(prompt: str) -> int:
    """The number of a problem."""
    found = MARK.search(prompt)
    assert found is not None
    return int(found.group(1))


def opinion(prompt: str) -> str:
    """A labeller that knows the numbers of the problems: every fifth is of each level, every seventh is poor."""
    number = number_of(prompt)
    labels = {"category": "math", "difficulty": DIFFICULTIES[number % 5], "quality": 1 if number % 7 == 0 else 4}
    return json.dumps(labels)


@pytest.fixture
def labeller() -> Iterator[JudgeServer]:
    with JudgeServer(says=opinion) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def by_model(store: Store, server: JudgeServer, problems: list[Problem], **more: Any) -> Manifest:
    settings = Labeller(**{"model": "judge", "base_urls": (server.url,), "give_up_after_s": 0.5, **more})
    plan = LabelRound(labeller=settings, ledger=store.path("ledger"))
    return perform(label_by_model_shard, store, plan, {"problems": store.write_table(table_of(Problem, problems))})


def kept(store: Store, manifest: Manifest) -> list[dict[str, Any]]:
    return [labels_of(row) for row in rows_of(Problem, store.read_table(manifest.outputs["kept"]))]


PROBLEMS = [problem(f"Note {n} says: what is {n} + 1?", str(n + 1)) for n in range(4)]


def test_a_failing_labeller_is_never_a_label(store: Store, labeller: JudgeServer) -> None:
    """While the server fails the stage fails, to be tried again; then it is asked only for what is missing."""
    labeller.always = Fault(500)
    with pytest.raises(ServerUnavailableError, match=r"(?s)labeller.*remedy"):
        by_model(store, labeller, PROBLEMS)
    labeller.always = None
    found = kept(store, by_model(store, labeller, PROBLEMS))
    assert [labels["difficulty"] for labels in found] == list(DIFFICULTIES[:4])
    completed = labeller.completed
    by_model(store, labeller, [*PROBLEMS, problem("Note 9 is new.")])
    assert labeller.completed == completed + 1


@pytest.mark.parametrize(("more", "setting"), [({"model": "other"}, "model"), ({"max_tokens": 200_000}, "max_tokens")])
def test_a_wrong_labeller_ends_the_run(store: Store, labeller: JudgeServer, more: dict[str, Any], setting: str) -> None:
    """A server of another model, or of too short a context, is refused before the first request, naming the setting."""
    with pytest.raises(TeacherMisconfiguredError, match=rf"label\.labellers\.{setting}"):
        by_model(store, labeller, PROBLEMS, **more)
    assert labeller.received == 0


def test_babble_and_refusals_keep_their_rows(store: Store, labeller: JudgeServer) -> None:
    """Rows whose label failed go on with an empty label and the reason; they are counted as such."""
    labeller.says = lambda prompt: "I would say hard." if "Note 1 " in prompt else opinion(prompt)
    labeller.max_model_len = 1000
    manifest = by_model(store, labeller, [*PROBLEMS, problem("Note 4 " + "x" * 1000)])
    found = kept(store, manifest)
    assert [labels["difficulty"] for labels in found] == ["very easy", None, "medium", "hard", None]
    assert "I would say hard." in found[1]["failed"]["difficulty"]
    assert "maximum context length" in found[4]["failed"]["difficulty"]
    assert manifest.dropped == {}
    assert manifest.facts["labels"]["difficulty"]["none"] == 2


def test_the_reply_is_constrained(store: Store, labeller: JudgeServer) -> None:
    """The server is told which replies there are, at temperature 0."""
    by_model(store, labeller, PROBLEMS[:1], labels=("difficulty",))
    body = labeller.bodies[0]
    assert body["temperature"] == 0
    assert re.fullmatch(body["structured_outputs"]["regex"], '{"difficulty": "very hard"}')
    assert not re.fullmatch(body["structured_outputs"]["regex"], '{"difficulty": "very  hard"}')


def test_tokens_are_counted_by_the_tokenizer_that_the_recipe_names(store: Store, tmp_path: Path) -> None:
    """Its content is in the stage's key, its place is not; without one, lengths are estimates and say so."""
    inputs = {"problems": store.write_table(table_of(Problem, PROBLEMS[:1]))}
    plan = measure_plan(Label(tokenizer="tokenizer.json"), str(TOKENIZER.parent))
    exact = kept(store, perform(label_shard, store, plan, inputs))[0]
    estimate = kept(store, perform(label_shard, store, Measure(), inputs))[0]
    assert plan.sha256 is not None
    assert exact["tokens_by"] == f"tokenizer@{plan.sha256[:12]}"
    assert estimate["tokens_by"] == "estimate@1"
    assert exact["n_prompt_tokens"] != estimate["n_prompt_tokens"]
    (tmp_path / "copy.json").write_bytes(TOKENIZER.read_bytes())
    assert measure_plan(Label(tokenizer="copy.json"), str(tmp_path)).digest() == plan.digest()
    (tmp_path / "copy.json").write_bytes(TOKENIZER.read_bytes() + b"\n")
    assert measure_plan(Label(tokenizer="copy.json"), str(tmp_path)).digest() != plan.digest()
    assert Label(tokenizer="copy.json").digest() != Label().digest(), "refresh_dataset would find nothing new"
    with pytest.raises(RecipeError, match=r"label\.tokenizer"):
        measure_plan(Label(tokenizer="none.json"), str(tmp_path))


@pytest.mark.parametrize("content", [None, b"{}"])
def test_another_tokenizer_on_a_worker_is_refused(store: Store, tmp_path: Path, content: bytes | None) -> None:
    """Where a task runs there may be no such file, or another: it does not count by that."""
    file = tmp_path / "tokenizer.json"
    file.write_bytes(TOKENIZER.read_bytes())
    plan = measure_plan(Label(tokenizer=file.name), str(tmp_path))
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    inputs = {"problems": store.write_table(table_of(Problem, PROBLEMS[:1]))}
    with pytest.raises(RunnerError, match=r"(?s)label\.tokenizer is not on this machine.*under the same path"):
        perform(label_shard, store, plan, inputs)


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer(wrong_percent=40) as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, labeller: JudgeServer, tmp_path: Path) -> SmallRun:
    small = SmallRun(tmp_path / "run", teacher.url)
    small.rows = [question(n) for n in range(60)]
    small.sections["label"] = {
        "labellers": [{"model": "judge", "revision": "r1", "base_urls": [labeller.url], "give_up_after_s": 2}]
    }
    return small


EASY = {"label": "difficulty", "value": "easy", "keep": 0.5}


def dropped(run: SmallRun) -> dict[str, dict[str, Any]]:
    """Evidence of the rows that left by their labels, by id."""
    rows = table(run.out, "dropped").to_pylist()
    return {row["id"]: json.loads(row["evidence"]) for row in rows if row["stage"] == "label"}


def test_a_build_with_labels(run: SmallRun, teacher: ChatServer, labeller: JudgeServer, tmp_path: Path) -> None:
    """Labels are published as columns, counted in the card, paid for once, and decide before the teacher is paid."""
    from datasets import load_dataset

    whole = funnel(run.build())
    asked, taught = labeller.received, teacher.received
    assert asked == 61, "60 rows and 2 with traces, of which one is in the benchmark"
    again = run.build()
    assert (again.n_executed, labeller.received) == (0, asked)

    run.sections["label"] |= {"downsample": [EASY], "drop": [{"label": "quality", "below": 2}]}
    run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | {"temperature": 0.7}}
    counts = funnel(run.build())
    assert labeller.received == asked, "other rules asked the labeller anew"
    lost = counts["label/downsampled"] + counts["label/unwanted_quality"]
    assert counts["label/unwanted_quality"] == 10, "0, 7, …, 56 and 1001"
    assert 0 < counts["label/downsampled"] < 12
    assert teacher.received - taught == taught - lost, "the teacher was paid for rows that had left"
    assert counts["source/rows"] == whole["source/rows"]

    data = load_dataset("parquet", data_dir=str(run.out / "dataset"), split="train", cache_dir=str(tmp_path / "cache"))
    assert data.features["quality"].dtype == "int32"
    assert data.features["difficulty"].dtype == "string"
    for row in data:
        assert row["difficulty"] == DIFFICULTIES[number_of(row["prompt"]) % 5]
        assert (row["category_label"], row["quality"], row["language"]) == ("math", 4, "en")
        assert row["n_prompt_tokens"] > 10
        assert (row["pass_rate"], row["difficulty_by_pass_rate"]) == (None, None), "one sample says nothing"
    card = (run.out / "dataset" / "README.md").read_text()
    assert "`judge@r1` (prompt `labels@1`): category, difficulty, quality." in card
    n_easy = list(data["difficulty"]).count("easy")
    labels = json.loads((run.out / "manifest.json").read_text())["labels"]
    assert (labels["labelled"]["difficulty"]["easy"], labels["published"]["difficulty"]["easy"]) == (13, n_easy)
    assert f"| difficulty | easy | 13 | {n_easy} |" in card
    assert f'<td>easy</td><td class="n">{n_easy} of 13</td>' in (run.out / "report.html").read_text()


def test_growth_keeps_decisions(run: SmallRun, labeller: JudgeServer) -> None:
    """Rows that stayed stay and rows that left have left, whatever is added; only new rows are labelled."""
    run.sections["label"]["downsample"] = [EASY, EASY | {"value": "medium", "keep": 0.3}]
    run.build()
    before, asked = dropped(run), labeller.received
    published = set(table(run.out, "dataset")["id"].to_pylist())
    run.rows += [question(n) for n in range(60, 90)]
    run.build()
    after = dropped(run)
    assert labeller.received == asked + 30
    assert before.items() <= after.items()
    assert published <= set(table(run.out, "dataset")["id"].to_pylist())
    assert len(after) > len(before) > 0
    assert all(row["draw"] >= row["keep"] for row in after.values())


def test_a_run_that_is_killed_while_it_labels(run: SmallRun, labeller: JudgeServer) -> None:
    """After SIGKILL at most the requests in flight are sent again, and the same rows leave as without it."""
    n_in_flight, labeller.latency_s = 4, 0.05
    server = run.sections["label"]["labellers"][0] | {"max_in_flight": n_in_flight}
    run.sections["label"] = {"labellers": [server], "downsample": [EASY]}
    kill_when(run, has_paid_for(15))
    assert n_manifests(run, "downsample") < 4
    finish(run)
    assert 61 <= labeller.completed <= 61 + n_in_flight
    rule = Thinning(**EASY)
    rows = table(run.out, "dropped").to_pylist() + table(run.out, "dataset").to_pylist()
    easy = {row["id"] for row in rows if number_of(row["prompt"]) % 5 == 1 and row.get("stage") != "decontaminate"}
    assert set(dropped(run)) == {problem_id for problem_id in easy if draw(0, rule, problem_id) >= rule.keep}


def test_a_build_without_labellers_asks_nobody(run: SmallRun, labeller: JudgeServer) -> None:
    """Without a model, its labels are empty, and language and length are there, by the tokenizer that is named."""
    run.sections["label"] = {"tokenizer": str(TOKENIZER)}
    run.build()
    rows = table(run.out, "dataset").to_pylist()
    assert labeller.received == 0
    assert {(row["category_label"], row["difficulty"], row["quality"]) for row in rows} == {(None, None, None)}
    assert {row["language"] for row in rows} == {"en"}
    assert [row["n_prompt_tokens"] for row in rows] == count_tokens([row["prompt"] for row in rows], str(TOKENIZER))
    assert {json.loads(row["info"])["labels"]["tokens_by"][:10] for row in rows} == {"tokenizer@"}
    assert "| difficulty |" not in (run.out / "dataset" / "README.md").read_text()


class UnevenTeacher(ChatServer):
    """Right at the first of four samples of every problem, and at fewer of the others the higher its number."""

    def _solve(self, prompt: str, digest: str) -> str:
        self.drawn = getattr(self, "drawn", Counter())
        self.drawn[prompt] += 1
        self.wrong_percent = 100 if self.drawn[prompt] > 4 - number_of(prompt) % 4 else 0
        return super()._solve(prompt, digest)


def test_difficulty_by_the_teacher_s_own_samples(run: SmallRun) -> None:
    """With several samples a round, what the teacher got right says how hard it found each problem."""
    del run.sections["label"]
    with UnevenTeacher() as teacher:
        run.sections["distill"] = {
            "samples_per_round": 4,
            "teacher": run.recipe()["distill"]["teacher"] | {"base_urls": [teacher.url]},
        }
        run.build()
    rows = table(run.out, "dataset").to_pylist()
    levels = {1.0: "very easy", 0.75: "easy", 0.5: "medium", 0.25: "hard", None: None}
    for row in rows:
        expected = 1 - number_of(row["prompt"]) % 4 / 4 if row["origin"] == "teacher" else None
        assert (row["pass_rate"], row["difficulty_by_pass_rate"]) == (expected, levels[expected])
    assert {row["pass_rate"] for row in rows} == set(levels)
    assert "| difficulty_by_pass_rate | very easy |  | 15 |" in (run.out / "dataset" / "README.md").read_text()
