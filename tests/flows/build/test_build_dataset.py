"""Builds with a chat server on loopback, two by the flow: what comes out, and what is never redone."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from flows.build_dataset import Built
from tests.support.runs.small_run import SmallRun, funnel, question, table
from tests.support.servers.chat_server import ChatServer, Fault
from tracemill.core import TracemillError


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    return SmallRun(tmp_path / "run", teacher.url)


class Finished(NamedTuple):
    """A build, for tests that look at what it left behind."""

    run: SmallRun
    built: Built
    teacher: ChatServer
    asked: str  # all questions to it


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    with ChatServer() as server:
        run = SmallRun(tmp_path_factory.mktemp("finished"), server.url)
        built = run.build()
        yield Finished(run, built, server, " ".join(body["messages"][-1]["content"] for body in server.bodies))


@pytest.fixture
def goes_on(finished: Finished, teacher: ChatServer, tmp_path: Path) -> SmallRun:
    """The same in a copy, with a teacher whom nobody has asked yet."""
    shutil.copytree(finished.run.folder, tmp_path / "run", symlinks=True)
    return SmallRun(tmp_path / "run", teacher.url)


def test_every_row_is_accounted_for(run: SmallRun) -> None:
    """Source rows equal published plus dropped, each dropped row is on file with stage and reason, none is lost."""
    run.rows += [question(0), "{broken", {"question": "Too short", "answer": "#### 1"}]
    counts = funnel(run.build())
    dropped = sum(n for key, n in counts.items() if key.split("/")[0] not in {"source", "published"})
    assert counts["source/rows"] == 65 == counts["published/rows"] + dropped
    assert counts["collect/malformed_json"] == 1
    assert counts["clean/too_short"] == 1
    assert counts["deduplicate/exact_duplicate"] == 1
    assert counts["decontaminate/bench"] == 1
    assert counts["verify/incorrect"] > 0
    assert table(run.out, "dropped").num_rows == dropped
    assert table(run.out, "dataset").num_rows == counts["published/rows"]


def test_published_rows_are_right_and_rejected_ones_wrong(finished: Finished) -> None:
    """A row is published exactly when its answer equals its reference."""
    run = finished.run
    for row in table(run.out, "dataset").to_pylist():
        assert f"\\boxed{{{row['reference_answer']}}}" in row["answer"]
        assert row["messages"][-1]["content"] == f"<think>{row['think']}</think>\n<answer>{row['answer']}</answer>"
    outcomes = table(run.out, "verdicts").to_pylist()
    assert {verdict["outcome"] for verdict in outcomes} == {"correct", "incorrect"}


def test_traces_are_reused_before_the_teacher_is_asked(finished: Finished) -> None:
    """A row whose own trace is right is not sent; one whose trace is wrong is."""
    assert "Note 1000 " not in finished.asked
    assert "Note 1001 " in finished.asked
    rows = {row["prompt"].split()[1]: row for row in table(finished.run.out, "dataset").to_pylist()}
    assert (rows["1000"]["origin"], rows["1000"]["model"]) == ("source", "deepseek-r1")


def test_am_file_has_the_reference_layout(finished: Finished) -> None:
    """The AM file holds the published rows, in the reference dataset's keys."""
    run = finished.run
    raw = zstandard.ZstdDecompressor().stream_reader((run.out / "am.jsonl.zst").read_bytes()).read()
    lines = [json.loads(line) for line in raw.splitlines()]
    published = table(run.out, "dataset").to_pylist()
    assert [line["messages"][0]["content"] for line in lines] == [row["prompt"] for row in published]
    user, assistant = lines[0]["messages"]
    keys = ["source", "reference_answer", "test_case", "think_content", "answer_content"]
    assert list(user["info"]) == keys
    assert set(assistant["info"]) == set(keys)
    info = assistant["info"]
    content = f"<think>{info['think_content']}</think>\n<answer>{info['answer_content']}</answer>"
    assert assistant["content"] == content


def test_dataset_loads_with_its_features(finished: Finished, tmp_path: Path) -> None:
    """``datasets.load_dataset`` reads the Parquet with the declared features."""
    from datasets import load_dataset

    folder = str(finished.run.out / "dataset")
    data = load_dataset("parquet", data_dir=folder, split="train", cache_dir=str(tmp_path / "cache"))
    assert data.num_rows == funnel(finished.built)["published/rows"]
    assert data.features["messages"].feature["content"].dtype == "large_string"
    assert data.features["n_correct"].dtype == "int32"


@pytest.mark.usefixtures("prefect_flows")
def test_a_second_run_does_nothing(run: SmallRun, teacher: ChatServer, caplog: pytest.LogCaptureFixture) -> None:
    """Built again, everything is found finished: no task runs, no request is sent, the bytes stay.

    Losing stored tables costs their recomputation, not a generation, and gives the same bytes, though Prefect remembers
    results of their tasks. The store can be moved between runs. A run says how many rows it has exported.
    """
    run.rows = run.rows[:40]
    first = run.build_by_flow()
    exported = sum(table(run.out, name).num_rows for name in ("dataset", "dropped", "verdicts", "traces", "grey"))
    assert f"export: {exported}/{exported} rows · 100.0 %" in caplog.text
    asked, before = teacher.received, run.digests()
    second = run.build_by_flow()
    assert (second.n_executed, teacher.received) == (0, asked)
    assert second.n_cached == first.n_cached + first.n_executed
    assert run.digests() == before

    shutil.rmtree(run.folder / "store" / "objects")
    shutil.rmtree(run.out)
    assert run.build_by_flow().n_executed > 0
    assert (teacher.received, run.digests()) == (asked, before)

    shutil.move(run.folder / "store", run.folder / "moved")
    run.sections["run"] = {"store": str(run.folder / "moved")}
    assert run.build_by_flow().n_executed == 0
    assert teacher.received == asked


def executed_stages(run: SmallRun) -> dict[str, int]:
    """Manifests per stage in the store."""
    manifests = (run.folder / "store" / "manifests").glob("*/*.json")
    counts: dict[str, int] = {}
    for path in manifests:
        counts[path.parent.name] = counts.get(path.parent.name, 0) + 1
    return counts


def grown_stages(run: SmallRun, out: Path) -> set[str]:
    """Builds, and says which stages have new manifests since."""
    before = executed_stages(run)
    run.build(out)
    after = executed_stages(run)
    return {stage for stage in after if after[stage] > before.get(stage, 0)}


@pytest.mark.parametrize(
    ("section", "changes", "stages"),
    [
        ("verify", {"wall_s": 9.0}, {"verify"}),
        ("select", {"prefer": "shortest"}, {"select"}),
        ("quality", {"allow_truncated": True}, {"quality"}),
        ("export", {"shuffle_seed": 5}, set()),
        ("decontaminate", {"benchmarks": []}, {"benchmarks", "decontaminate"}),
        ("run", {"workers": 2, "show_cached": 0}, set()),
    ],
)
def test_an_edited_section_reruns_only_what_depends_on_it(
    finished: Finished, tmp_path: Path, section: str, changes: dict[str, Any], stages: set[str]
) -> None:
    """Editing a section runs its stage, and below it only what then gets other inputs; nothing is generated again."""
    asked = finished.teacher.received
    found = grown_stages(replace(finished.run, sections={section: changes}), tmp_path / "out")
    below = {"decontaminate": {"label", "reuse", "verify", "distill", "quality", "select", "tally"}}.get(section, set())
    assert stages <= found <= stages | below
    assert finished.teacher.received - asked == (
        1 if section == "decontaminate" else 0
    )  # the row that was contaminated


def test_another_shard_size_pays_for_nothing(goes_on: SmallRun, finished: Finished, teacher: ChatServer) -> None:
    """Generations are keyed by their request, not by the shard that asked for them."""
    goes_on.sections["collect"] = {"shard_rows": 7}
    assert funnel(goes_on.build()) == funnel(finished.built)
    assert teacher.received == 0


def test_added_rows_leave_old_shards_alone(goes_on: SmallRun, teacher: ChatServer) -> None:
    """New source rows become new shards; the old ones are not computed again, and published rows stay published."""
    run = goes_on
    old = set(table(run.out, "dataset")["id"].to_pylist())
    before = executed_stages(run)
    run.rows += [question(n) for n in range(60, 75)] + [question(5)]
    run.build()
    after = executed_stages(run)
    # One new shard: each per-shard stage ran once more (verify twice: for traces and for responses).
    assert {
        stage: after[stage] - before[stage] for stage in ("collect", "clean", "sign", "label", "select")
    } == dict.fromkeys(("collect", "clean", "sign", "label", "select"), 1)
    assert teacher.received == 15
    new = set(table(run.out, "dataset")["id"].to_pylist())
    assert old < new


def test_refresh_without_news_does_nothing(run: SmallRun, teacher: ChatServer) -> None:
    """Refreshing an unchanged dataset runs nothing; with new rows it brings them in."""
    built = run.build()
    asked = teacher.received
    same = run.refresh()
    assert (same.n_executed, same.manifest) == (0, built.manifest)
    run.rows.append(question(70))
    refreshed = run.refresh()
    assert funnel(refreshed)["source/rows"] == funnel(built)["source/rows"] + 1
    assert teacher.received == asked + 1


def test_limit_bounds_what_is_distilled(run: SmallRun, teacher: ChatServer) -> None:
    """At most ``limit`` problems go on, chosen by content id; the rest is dropped as over_limit."""
    run.sections["distill"] = run.recipe()["distill"] | {"limit": 10}
    counts = funnel(run.build())
    assert counts["distill/over_limit"] == 62 - 1 - 10
    assert teacher.received <= 10


def test_unsolved_problems_are_sampled_again(goes_on: SmallRun, finished: Finished, teacher: ChatServer) -> None:
    """A second round asks only about the problems that the first left unsolved."""
    goes_on.sections["distill"] = goes_on.recipe()["distill"] | {"max_rounds": 2}
    goes_on.build()
    assert teacher.received == funnel(finished.built)["verify/incorrect"] > 0


def test_unjudgeable_problems_are_not_paid_for(run: SmallRun, teacher: ChatServer) -> None:
    """A problem that no answer could be judged on is dropped as unverifiable without asking the teacher."""
    run.rows = [{"question": f"{question(1)['question']} Prove it.", "answer": "#### proof"}, question(2)]
    counts = funnel(run.build())
    assert counts["verify/unverifiable"] == 1
    assert not any("Prove it" in body["messages"][-1]["content"] for body in teacher.bodies)


def test_refused_prompts_are_dropped_with_the_message(run: SmallRun, teacher: ChatServer) -> None:
    """A prompt that the server refuses is dropped as refused, with the server's words; the others go on."""
    teacher.max_model_len = 300
    long = question(1)
    long["question"] = "many words here " * 30 + long["question"]
    run.rows.append(long)
    assert funnel(run.build())["distill/refused_by_teacher"] == 1
    refused = [row for row in table(run.out, "dropped").to_pylist() if row["reason"] == "refused_by_teacher"]
    assert "maximum context length" in refused[0]["evidence"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: run.sections.update(sources=[{"name": "x", "path": "nowhere.jsonl"}]), "nowhere.jsonl"),
        (lambda run: run.sections.update(decontaminate={"benchmarks": [{"name": "b", "path": "gone"}]}), "gone"),
        (
            lambda run: run.sections.update(
                decontaminate={"benchmarks": [{"name": "b", "path": "bench.jsonl", "text": "q"}]}
            ),
            "text in column q",
        ),
        (lambda run: run.sections.update(sources=[{"name": "x", "path": "bench.jsonl", "layout": "am"}]), "messages"),
        (lambda run: run.sections.update(run={"store": "/proc/nowhere"}), "/proc/nowhere"),
        (lambda run: setattr(run, "model", "other-model"), "other-model"),
        (lambda run: setattr(run, "teacher_url", "http://127.0.0.1:9/v1"), "http://127.0.0.1:9"),
    ],
)
def test_bad_input_is_named(run: SmallRun, damage: Any, message: str) -> None:
    """Whatever is wrong outside is named with its remedy, and nothing is published."""
    damage(run)
    with pytest.raises(TracemillError, match=message) as caught:
        run.build()
    assert "remedy" in str(caught.value)
    assert not (run.out / "manifest.json").exists()


def test_a_failing_teacher_loses_nothing(run: SmallRun, teacher: ChatServer, by_flow: bool) -> None:
    """When the teacher goes away for good the run fails; what it answered is kept and not asked again."""
    build = run.build_by_flow if by_flow else run.build
    run.sections["distill"] = {"teacher": run.recipe()["distill"]["teacher"] | {"give_up_after_s": 1}}
    teacher.latency_s = 0.05

    def die() -> None:
        while teacher.completed < 10:
            time.sleep(0.01)
        teacher.always = Fault(500)

    threading.Thread(target=die, daemon=True).start()
    with pytest.raises(TracemillError):
        build()
    assert 10 <= teacher.completed < 60
    teacher.always = None
    build()
    assert teacher.completed == 60  # 59 clean rows and the one with the wrong trace, each exactly once
