"""The audit of a published dataset: every row judged or accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from flows.phases.audit import AuditRun
from flows.verify_dataset import audit_recipe
from tests.support.runs import small_run
from tests.support.runs.audited_set import PLANTED, UNREADABLE, am_row, right, thought, write, write_as, wrong
from tests.support.runs.killed_run import end, kill, launch
from tests.support.runs.small_run import SmallRun, digests_of, table
from tests.support.servers.chat_server import ChatServer
from tests.support.servers.hub_server import COMMIT, ID, Hub, point_at, serving
from tracemill.core import RecipeError, SourceError, TracemillError


def audit(path: Path | str, folder: Path, limit: int | None = None, **settings: Any) -> AuditRun:
    """Audits in this process, in shards of seven rows."""
    settings = {"run.store": folder / "store", "collect.shard_rows": 7, "verify.workers": 1} | settings
    overrides = [f"{key}={value}" for key, value in settings.items()]
    return small_run.audit(path, folder / "out", overrides, limit)


def test_every_planted_error_is_found(tmp_path: Path) -> None:
    """Right, wrong, truncated, unverifiable, unanswered and unreadable rows are each counted, by source and reason."""
    run = audit(write(tmp_path), tmp_path)
    found = run.summary
    counts = ("rows", "correct", "incorrect", "unverifiable", "timeout", "sandbox_error", "no_response", "unreadable")
    assert [found[name] for name in counts] == [len(PLANTED) + 2, 16, 7, 2, 0, 0, 1, 2]
    assert found["accuracy"] == round(16 / 23, 6)
    by_source = {name: [group[count] for count in counts] for name, group in found["by_source"].items()}
    assert by_source == {
        "alpha": [17, 12, 5, 0, 0, 0, 0, 0],
        "beta": [8, 3, 2, 2, 0, 0, 1, 0],
        "set": [3, 1, 0, 0, 0, 0, 0, 2],  # the row that names no source, and the unreadable ones
    }
    assert found["by_source"]["beta"]["accuracy"] == 0.6
    assert found["by_category"]["other"]["unverifiable"] == 1
    assert sum(found["reasons"]["unverifiable"].values()) == 2
    assert found["reasons"]["unreadable"] == {"malformed_json": 1, "malformed_messages": 1}
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == found


def test_every_row_can_be_found(tmp_path: Path) -> None:
    """Verdicts and dropped rows together name every row of the input once, with its file and its raw text if broken."""
    run = audit(write(tmp_path), tmp_path)
    verdicts = table(tmp_path / "out", "verdicts").to_pylist()
    dropped = table(tmp_path / "out", "dropped").to_pylist()
    assert sorted(row["row"] for row in verdicts + dropped) == list(range(len(PLANTED) + len(UNREADABLE)))
    assert {row["file"] for row in verdicts} == {"set.jsonl"}
    assert [row["raw"].encode() for row in dropped if row["raw"]] == UNREADABLE
    outcomes = {row["row"]: row["outcome"] for row in verdicts}
    assert [outcomes[row] for row in (0, 10, 14, 17, 19)] == [
        "correct", "incorrect", "correct", "incorrect", "unverifiable",
    ]  # fmt: skip
    # Two responses to one problem, each with its own verdict; of several turns the last is judged.
    assert verdicts[0]["id"] == verdicts[-1]["id"]
    assert (outcomes[0], outcomes[len(PLANTED) - 1]) == ("correct", "incorrect")
    assert [outcomes[PLANTED.index(row)] for row in PLANTED[-4:-2]] == ["correct", "correct"]
    assert run.summary["examples"][0]["detail"]


def test_formats_give_the_same_verdicts(tmp_path: Path) -> None:
    """JSONL, zstd with a large window and Parquet are audited alike."""
    verdicts = []
    for kind in (".jsonl", ".jsonl.zst", ".parquet"):
        folder = tmp_path / kind
        folder.mkdir()
        audit(write_as(kind, folder), folder)
        rows = table(folder / "out", "verdicts").drop(["file"]).to_pylist()
        verdicts.append(rows)
    assert verdicts[0] == verdicts[1] == verdicts[2]
    assert len(verdicts[0]) == len(PLANTED) - 1


def test_a_second_audit_does_nothing(tmp_path: Path) -> None:
    """Audited again, everything is found finished and the bytes stay; appended rows are judged alone."""
    path = write(tmp_path, [right(number) for number in range(20)])
    audit(path, tmp_path)
    before = digests_of(tmp_path / "out")
    assert audit(path, tmp_path).n_executed == 0
    assert digests_of(tmp_path / "out") == before
    write(tmp_path, [right(number) for number in range(20)] + [wrong(number) for number in range(20, 27)])
    again = audit(path, tmp_path)
    assert (again.summary["correct"], again.summary["incorrect"]) == (20, 7)
    assert again.n_cached == 2 * 4  # the two full shards


def test_limit_reads_the_first_rows(tmp_path: Path) -> None:
    """Only the first rows are audited, and an audit of all finds their full shards finished."""
    path = write(tmp_path)
    limited = audit(path, tmp_path, limit=14)
    assert (limited.summary["rows"], limited.summary["limit"]) == (14, 14)
    assert (limited.summary["correct"], limited.summary["incorrect"]) == (10, 4)
    assert audit(path, tmp_path).n_cached == 2 * 4
    assert audit(path, tmp_path, limit=3).summary["rows"] == 3


def test_a_limit_spans_files(tmp_path: Path) -> None:
    """Of a glob, the limit counts rows over all files."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, [right(number) for number in range(5)])
    assert audit(f"{tmp_path}/*/set.jsonl", tmp_path, limit=8).summary["rows"] == 8


@pytest.mark.usefixtures("prefect_flows")
def test_a_killed_audit_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL in the middle changes no byte of what is published, and no finished shard is judged again."""
    rows = [right(number) if number % 3 else wrong(number) for number in range(160)]
    path = write(tmp_path, rows)

    def command(name: str) -> list[str]:
        (tmp_path / name).mkdir(exist_ok=True)
        options = ["--set", "collect.shard_rows=10", "--set", "verify.workers=1", "--set", "run.workers=2"]
        return [str(path), "--out", str(tmp_path / name / "out"), "--store", str(tmp_path / name / "store"), *options]

    audits = tmp_path / "killed" / "store" / "manifests" / "audit"
    killed = launch_in(tmp_path / "killed", command("killed"))
    kill(killed, tmp_path / "killed", lambda: len(list(audits.glob("*.json"))) >= 3)
    assert not (tmp_path / "killed" / "out" / "manifest.json").exists()
    times = {path: path.stat().st_mtime_ns for path in audits.glob("*.json")}
    assert 3 <= len(times) < 16
    for name in ("killed", "whole"):
        end(launch_in(tmp_path / name, command(name)), tmp_path / name)
    assert digests_of(tmp_path / "killed" / "out") == digests_of(tmp_path / "whole" / "out")
    assert {path: path.stat().st_mtime_ns for path in times} == times


def launch_in(folder: Path, command: list[str]) -> Any:
    """Starts the command, with its log in the folder."""
    return launch(folder, "flows.verify_dataset", *command)


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """The report loads nothing from elsewhere, escapes what rows say, and shows expected and got of wrong rows."""
    row = wrong(7, "<b>bold</b>")
    row["messages"][0]["content"] = "Is 1 < 2 & 7 + 7 <script>alert(1)</script>?"
    audit(write(tmp_path, [row]), tmp_path)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "Is 1 &lt; 2 &amp; 7 + 7" in page
    assert "expected <code>14</code>" in page
    assert "got <code>15</code>" in page
    assert not [word for word in ("<script", "http", "src=") if word in page]


def truncated(folder: Path) -> Path:
    path = folder / "cut.jsonl.zst"
    path.write_bytes(zstandard.compress(b"\n".join(json.dumps(row).encode() for row in PLANTED))[:-9])
    return path


def other_layout(folder: Path) -> Path:
    path = folder / "other.jsonl"
    path.write_text('{"question": "What?", "answer": "1"}\n{broken\n')
    return path


def other_format(folder: Path) -> Path:
    path = folder / "set.xlsx"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("bad_input", "message"),
    [
        (lambda folder: folder / "nowhere.jsonl", r"there is no file .*nowhere\.jsonl"),
        (lambda _: "data/*.jsonl", r"there is no file data/\*\.jsonl"),
        (lambda folder: folder, r"holds no data file"),
        (lambda _: "org/set", r"--revision"),
        (truncated, r"(?s)cut\.jsonl\.zst.*truncated"),
        (other_layout, r"(?s)not laid out as am.*answer, question"),
        (other_format, r"(?s)set\.xlsx.*\.parquet"),
    ],
)
def test_bad_input_is_named(bad_input: Any, message: str, tmp_path: Path) -> None:
    """Whatever is wrong with the input is named with its remedy, and nothing is published."""
    with pytest.raises(TracemillError, match=message) as caught:
        audit(bad_input(tmp_path), tmp_path)
    assert "remedy" in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_settings_are_those_of_an_audit(tmp_path: Path) -> None:
    """A setting that an audit does not have is refused with those that it has."""
    with pytest.raises(RecipeError, match=r"(?s)did you mean wall_s.*distill: unknown key; valid keys: name,.* run"):
        audit_recipe(str(write(tmp_path)), {}, ["distill.limit=3", "verify.wal_s=3"])


def test_a_hub_dataset_is_streamed_as_far_as_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a Hub dataset no more files are asked for than the limit needs."""
    rows = b"".join(json.dumps(right(number)).encode() + b"\n" for number in range(20))
    overrides = [f"run.store={tmp_path / 'store'}", "collect.shard_rows=4", "verify.workers=1"]
    with serving(Hub({"train-1.jsonl": rows, "train-2.jsonl": rows})) as hub:
        point_at(hub, monkeypatch, tmp_path)
        run = small_run.audit(ID, tmp_path / "out", overrides, 10, revision=COMMIT)
    assert (run.summary["rows"], run.summary["correct"], run.summary["revision"]) == (10, 10, COMMIT)
    assert {path for path, _ in hub.asked} == {"train-1.jsonl"}
    assert {row["file"] for row in table(tmp_path / "out", "verdicts").to_pylist()} == {"train-1.jsonl"}


def test_a_branch_is_audited_at_its_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A branch is looked up once, and the audit is of that commit; a set that the Hub lacks is refused."""
    with serving(Hub({})) as hub:
        point_at(hub, monkeypatch, tmp_path)
        assert audit_recipe(ID, {"revision": "main"}, []).sources[0].revision == COMMIT
        with pytest.raises(SourceError, match=r"(?s)cannot look up org/gone.*RepositoryNotFound"):
            audit_recipe("org/gone", {"revision": "main"}, [])


def test_a_built_dataset_passes_its_own_audit(tmp_path: Path) -> None:
    """Every row of a published AM file is judged correct when it is audited."""
    with ChatServer() as teacher:
        built = SmallRun(tmp_path / "built", teacher.url)
        built.build()
    found = audit(built.out / "am.jsonl.zst", tmp_path).summary
    assert found["correct"] == found["rows"] == table(built.out, "dataset").num_rows > 40


@pytest.mark.usefixtures("prefect_flows")
def test_the_command_fails_on_a_missing_file(tmp_path: Path) -> None:
    """The exit status is 1, and the error names the file."""
    assert launch_in(tmp_path, ["nowhere.jsonl"]).wait() == 1
    assert "there is no file nowhere.jsonl" in (tmp_path / "build.log").read_text()


@pytest.mark.parametrize(
    ("file", "given", "name"),
    [
        ("am_0.5M.jsonl.zst", "am_0.5M.jsonl.zst", "am_0.5M"),
        ("my set (1).parquet", "my set (1).parquet", "my-set-1"),
        ("big/a.parquet", "big/*.parquet", "big"),
        ("big/train-0.parquet", "big/train-*.parquet", "train"),
    ],
)
def test_names_of_audits(file: str, given: str, name: str, tmp_path: Path) -> None:
    """An audit is called as its file, or as the folder whose files are globbed."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert audit_recipe(str(tmp_path / given), {}, []).name == name


def test_hub_datasets_are_pinned() -> None:
    """A Hub id with its revision is a Hub source with the options given; without one it is refused."""
    recipe = audit_recipe("org/some_set", {"revision": COMMIT, "split": "test", "config": "am_0.5M"}, [])
    source = recipe.sources[0]
    assert (source.hub, source.revision, source.split, source.config) == ("org/some_set", COMMIT, "test", "am_0.5M")
    assert recipe.name == "org-some_set"
    with pytest.raises(SourceError, match="revision"):
        audit_recipe("org/some_set", {}, [])


def boxed(answer: object) -> str:
    return f"<think>\nadd\n</think>\n\nIt is \\boxed{{{answer}}}."


def openr1_row(number: int, *answers: object) -> dict[str, Any]:
    """A row of OpenR1-Math-220k: the chosen generation stands in messages, too, and the answer in a column."""
    problem = f"What is {number} plus {number}?"
    chosen = [{"role": "user", "content": problem}]
    chosen += [{"role": "assistant", "content": boxed(answer)} for answer in answers[:1]]
    return {
        "problem": problem, "solution": "Add them.", "answer": str(2 * number), "problem_type": "Algebra",
        "question_type": "math-word-problem", "source": "cn_k12", "uuid": f"u{number}",
        "generations": [boxed(answer) for answer in answers],
        "correctness_math_verify": [None] * len(answers), "messages": chosen,
    }  # fmt: skip


def test_every_generation_of_a_row_is_judged(tmp_path: Path) -> None:
    """OpenR1-Math's rows are known by their columns, and each generation has its verdict beside its row's answer."""
    rows = [openr1_row(n, 2 * n, 2 * n + 1) for n in range(10)] + [
        openr1_row(50),
        openr1_row(51, 102, r"102\text{ or is that wrong?}"),
    ]
    found = audit(write(tmp_path, rows), tmp_path).summary
    assert (found["layout"], found["input_rows"], found["rows"]) == ("openr1_math", 12, 23)
    assert [found[name] for name in ("correct", "incorrect", "unverifiable", "no_response")] == [11, 10, 1, 1]
    assert found["causes"] == {"reference": 0, "response": 1, "verifier": 0}
    verdicts = table(tmp_path / "out", "verdicts").to_pylist()
    assert [(row["row"], row["response_index"], row["outcome"]) for row in verdicts[:3]] == [
        (0, 0, "correct"), (0, 1, "incorrect"), (1, 0, "correct"),
    ]  # fmt: skip
    assert {row["model"] for row in verdicts} == {"deepseek-r1"}
    assert [row["cause"] for row in verdicts if row["outcome"] == "unverifiable"] == ["response"]
    assert found["pass_rates"][5] == 10
    assert found["repeated"] == {}


@pytest.mark.usefixtures("prefect_flows")
def test_a_set_of_which_nothing_could_be_judged_does_not_end_in_silence(tmp_path: Path) -> None:
    """Where every reference is of no use the command says so, publishes what it found, and ends with status 3."""
    path = write(tmp_path, [am_row(n, thought(2 * n), None) for n in range(3)])
    assert launch_in(tmp_path, [str(path), "--out", str(tmp_path / "out"), "--store", str(tmp_path / "s")]).wait() == 3
    log = (tmp_path / "build.log").read_text()
    assert "NOT ONE RESPONSE WAS JUDGED right or wrong (3 unverifiable)" in log
    assert "of 3 rows nothing is said: by the reference 3" in log
    assert table(tmp_path / "out", "verdicts").num_rows == 3


def test_a_set_that_mostly_has_no_references_says_so(tmp_path: Path) -> None:
    """More than half without anything to be judged by is said, whatever became of the others."""
    rows = [am_row(n, thought(2 * n), None) for n in range(3)]
    advice = audit(write(tmp_path, [*rows, right(9)]), tmp_path).summary["advice"]
    assert [line.split(":")[0] for line in advice] == ["3 of 4 rows have nothing that answers can be judged by"]
    assert audit(write(tmp_path, [*rows, *map(right, range(20, 24))]), tmp_path).summary["advice"] == []


def test_a_published_dataset_is_audited_as_it_is(tmp_path: Path) -> None:
    """The Parquet files of a build, in their own layout, pass their own audit."""
    with ChatServer() as teacher:
        built = SmallRun(tmp_path / "built", teacher.url)
        built.build()
    found = audit(f"{built.out}/dataset/*.parquet", tmp_path).summary
    assert found["layout"] == "tracemill"
    assert found["correct"] == found["rows"] == table(built.out, "dataset").num_rows > 40


@pytest.mark.parametrize("hub", [{"split": "test"}, {"config": "am_0.5M"}, {"revision": "main", "split": "train"}])
def test_what_only_a_hub_dataset_has_is_refused_of_a_file(hub: dict[str, str], tmp_path: Path) -> None:
    """A split of a file would be ignored: it is refused, naming what was given."""
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    with pytest.raises(SourceError, match=" and ".join(hub)):
        audit_recipe(str(path), hub, [])
