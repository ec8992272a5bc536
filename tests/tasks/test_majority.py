"""Stage vote in whole builds: references that samples make or contradict, and where each row ends."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.runs.killed_run import finish, has_paid_for, kill_when
from tests.support.runs.small_run import SmallRun, audit, digests_of, funnel, question, table
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError
from tracemill.recipe import parse_recipe
from tracemill.runs.why import render, story
from tracemill.select.verdicts import VOTE
from tracemill.training import export_sft
from tracemill.training.export import Wanted
from verifiers.maths.verifier import MathVerifier

VOTED = VOTE + MathVerifier.version
NOTE = re.compile(r"Note (\d+) ")
SUM = re.compile(r"What is (\d+) \+ (\d+)\?")


def right(number: int) -> int:
    return 120 + 10 * number


class Electorate(ChatServer):
    """Says one answer after the other of a problem's own, over and over; ``{}`` in one is what is right."""

    def __init__(self, says: Callable[[int], Sequence[str]], **options: Any) -> None:
        super().__init__(wrong_percent=0, **options)
        self.says, self.asked = says, Counter[int]()

    def _solve(self, prompt: str, digest: str) -> str:  # noqa: ARG002 - the server's own
        left, other = map(int, SUM.findall(prompt)[-1])
        number = (left - 100) // 7
        said = self.says(number)
        self.asked[number] += 1
        return said[(self.asked[number] - 1) % len(said)].replace("{}", str(left + other))


BOX = r"It is \boxed{%s}."
AGREED = [BOX % "{}", BOX % r"\frac{2\cdot {}}{2}", BOX % "{}.0", BOX % "{}", BOX % "7"]


def small(folder: Path, teacher: ChatServer, references: Sequence[str | None], **sections: Any) -> SmallRun:
    """One row for each reference; None: it has none."""
    rows = [
        {"question": question(number)["question"], **({} if reference is None else {"answer": reference})}
        for number, reference in enumerate(references)
    ]
    run = SmallRun(folder, teacher.url, rows=rows)
    run.sections |= {
        "sources": [{"name": "rows", "path": "rows.jsonl"}],
        "decontaminate": {"benchmarks": []},
        "distill": run.recipe()["distill"] | {"samples_per_round": 5},
        "majority": {},
        **sections,
    }
    return run


def test_samples_make_the_references_that_are_missing(tmp_path: Path) -> None:
    """Rows get what most samples say; they are marked in every place, counted, and found finished by the next run."""
    with Electorate(lambda _: AGREED) as teacher:
        run = small(tmp_path / "run", teacher, [None, None, str(right(2)), None])
        built = run.build()
        assert funnel(built) == {"source/rows": 4, "published/rows": 4}
        assert run.build().n_executed == 0
    rows = {row["prompt"]: row for row in table(run.out, "dataset").to_pylist()}
    by = {int(NOTE.findall(prompt)[0]): row for prompt, row in rows.items()}
    assert {number: row["reference_by"] for number, row in by.items()} == dict.fromkeys((0, 1, 3), "majority") | {
        2: "source"
    }
    assert eval_of(by[0]["reference_answer"]) == right(0)
    assert (by[0]["n_correct"], by[0]["n_judged"], by[0]["verifier"]) == (4, 5, VOTED)
    vote = json.loads(by[0]["info"])["vote"]
    assert (vote["finding"], vote["votes"], vote["voters"], vote["share"]) == ("made", 4, 5, 0.8)
    assert "vote" not in json.loads(by[2]["info"])

    judged = Counter((v["verifier"], v["outcome"]) for v in table(run.out, "verdicts").to_pylist())
    assert judged[VOTED, "correct"] == 12
    assert judged[VOTED, "incorrect"] == 3
    references = table(run.out, "references").to_pylist()
    assert Counter(row["finding"] for row in references) == {"made": 3}
    assert built.manifest["votes"]["rows"] | {"audited": 0} == {
        "audited": 0, "made": 3, "no_majority": 0, "contradicted": 0, "published": 3, "contradicted_published": 0
    }  # fmt: skip
    card = (run.out / "dataset" / "README.md").read_text()
    assert "**3 of 4 published problems have a reference that was made so.**" in card
    assert "References by vote" in (run.out / "report.html").read_text()
    told = render(story(run.out, by[0]["id"]))
    assert "(by majority of its samples)" in told
    assert "4 of 5" in told
    assert_that_the_am_layout_has_given_references_alone(run)
    assert_that_the_mark_goes_on(run)


def assert_that_the_mark_goes_on(run: SmallRun) -> None:
    """What is exported for reinforcement learning says it, and an audit of the dataset counts such rows apart."""
    export_sft(run.out, Wanted("verl"), run.folder / "verl")
    [file] = (run.folder / "verl").glob("*.parquet")
    told = [row["extra_info"]["reference_by"] for row in pq.read_table(file).to_pylist()]
    assert Counter(told) == {"majority": 3, "source": 1}
    found = audit(run.out / "dataset", run.folder / "audit", [f"run.store={run.folder / 'audited'}"])
    assert {name: each["correct"] for name, each in found.summary["by_source"].items()} == {
        "rows": 1, "rows (reference by majority)": 3
    }  # fmt: skip


def assert_that_the_am_layout_has_given_references_alone(run: SmallRun) -> None:
    import zstandard

    data = zstandard.ZstdDecompressor().stream_reader((run.out / "am.jsonl.zst").read_bytes()).read()
    infos = [json.loads(line)["messages"][0]["info"] for line in data.splitlines()]
    assert sorted(str(info["reference_answer"]) for info in infos) == sorted(["None", "None", "None", str(right(2))])


def eval_of(reference: str) -> int:
    """The value that a reference stands for, of the three that ``AGREED`` says."""
    return int(float(re.findall(r"[\d.]{3,}", reference)[0]))


def test_without_a_majority_a_problem_is_lost_with_its_votes(tmp_path: Path) -> None:
    """Samples that disagree, that tie, or that say nothing leave no wrong answer, and a reason with its evidence."""
    said = {
        0: [BOX % "1", BOX % "2", BOX % "3", BOX % "4"],
        1: [BOX % "1", BOX % "2"],
        2: ["I cannot say."],
        3: ["It is either 7 or 8."],
    }
    with Electorate(said.__getitem__) as teacher:
        run = small(tmp_path / "run", teacher, [None] * 4, majority={"votes": 2, "share": 0.5, "samples": 4})
        run.sections["distill"]["samples_per_round"] = 1
        built = run.build()
    assert funnel(built) == {"source/rows": 4, "verify/no_majority": 4, "published/rows": 0}
    lost = {
        int(NOTE.findall(row["prompt"])[0]): json.loads(row["evidence"])
        for row in table(run.out, "dropped").to_pylist()
    }
    assert {number: found["vote"]["why"] for number, found in lost.items()} == {
        0: "1 of 4 answers say the same, and 2 have to",
        1: "two answers have equally many votes",
        2: "no answer could be read",
        3: "no answer could be read",
    }
    outcomes = Counter(v["outcome"] for v in table(run.out, "verdicts").to_pylist())
    assert set(outcomes) == {"unverifiable"}


def test_rounds_go_on_until_the_votes_are_enough(tmp_path: Path) -> None:
    """One sample a round: without a reference it takes as many as make four agree, with one until one is right."""
    with Electorate(lambda _: [BOX % "{}", BOX % "5", *[BOX % "{}"] * 9]) as teacher:
        run = small(tmp_path / "run", teacher, [None, str(right(1))])
        run.sections["distill"] |= {"samples_per_round": 1, "max_rounds": 9}
        built = run.build()
        assert teacher.asked == {0: 5, 1: 1}
    assert funnel(built) == {"source/rows": 2, "published/rows": 2}
    votes = Counter(v["verifier"] for v in table(run.out, "verdicts").to_pylist())
    assert votes == {MathVerifier.version: 6, VOTED: 5}


def test_samples_of_several_teachers_vote_together(tmp_path: Path) -> None:
    """Two of each are four; selection is among those that agree, by the recipe's preference."""
    with (
        Electorate(lambda _: [BOX % "{}", BOX % "{}", BOX % "9"]) as one,
        Electorate(lambda _: [BOX % "{}"], models=("other",)) as two,
    ):
        run = small(tmp_path / "run", one, [None, None])
        server = run.recipe()["distill"]["teacher"]
        teachers = [
            server | {"name": "one", "samples": 3},
            server | {"name": "two", "model": "other", "base_urls": [two.url], "samples": 2},
        ]
        run.sections["distill"] = {"teacher": None, "teachers": teachers, "ask": "all"}
        run.sections["select"] = {"teachers": ["two", "one"], "keep": "all"}
        run.build()
        assert (one.received, two.received) == (6, 4)
    rows = table(run.out, "dataset").to_pylist()
    assert {(row["n_correct"], row["n_judged"], row["reference_by"]) for row in rows} == {(4, 5, "majority")}
    assert not any("\\boxed{9}" in row["answer"] for row in rows)
    assert {row["model"] for row in rows[:1]} == {"other"}


@pytest.mark.parametrize("contradicted", ["keep", "drop"])
def test_references_that_most_samples_contradict(contradicted: str, tmp_path: Path) -> None:
    """They are listed with what the samples say, marked or dropped by recipe, and told by card and report."""
    with Electorate(lambda _: [BOX % "{}"] * 4 + [BOX % "77"]) as teacher:
        references = [str(right(0)), "77", "78", str(right(3))]
        run = small(tmp_path / "run", teacher, references, majority={"contradicted": contradicted, "make": False})
        counts = funnel(run.build())
    published = {row["reference_answer"]: json.loads(row["info"]) for row in table(run.out, "dataset").to_pylist()}
    listed = {row["reference"]: row for row in table(run.out, "references").to_pylist()}
    assert set(listed) == {"77", "78"}
    assert (listed["78"]["answer"], listed["78"]["votes"], listed["78"]["voters"]) == (str(right(2)), 4, 5)
    assert {row["is_dropped"] for row in listed.values()} == {contradicted == "drop"}
    page, card = (run.out / "report.html").read_text(), (run.out / "dataset" / "README.md").read_text()
    assert "References that most samples contradict" in page
    assert "samples contradict 2" in card
    if contradicted == "drop":
        assert counts == {"source/rows": 4, "published/rows": 2, "verify/contradicted_reference": 2}
    else:
        assert counts == {"source/rows": 4, "published/rows": 3, "verify/incorrect": 1}
        assert published["77"]["vote"]["finding"] == "contradicted"
        assert "vote" not in published[str(right(0))]


def test_traces_alone_make_references_and_contradict_them(tmp_path: Path) -> None:
    """Without a teacher the traces that came along vote; nobody is asked."""
    rows = [
        {
            "problem": question(number)["question"],
            "answer": answer,
            "generations": [
                f"<think>\nway {n} of {number}\n</think>\n\n{BOX % (value or right(number))}"
                for n, value in enumerate([None, None, 5])
            ],
        }
        for number, answer in enumerate([None, "77", str(right(2))])
    ]
    run = SmallRun(tmp_path / "run", "http://127.0.0.1:9/v1", rows=rows)
    run.sections |= {
        "sources": [{"name": "rows", "path": "rows.jsonl", "layout": "openr1_math"}],
        "decontaminate": {"benchmarks": []},
        "distill": {"teacher": None},
        "majority": {"votes": 2},
    }
    counts = funnel(run.build())
    assert counts == {"source/rows": 3, "published/rows": 2, "verify/incorrect": 1}
    found = {row["finding"]: row for row in table(run.out, "references").to_pylist()}
    assert {finding: (row["reference"], row["answer"], row["votes"]) for finding, row in found.items()} == {
        "made": (None, str(right(0)), 2),
        "contradicted": ("77", str(right(1)), 2),
    }


def test_nothing_that_cannot_be_voted_on_is_paid_for(tmp_path: Path) -> None:
    """Other categories, and references that nothing can be judged by, are closed before anybody is asked."""
    with Electorate(lambda _: AGREED) as teacher:
        prose = "The correct answer would involve looking at every single case of it"
        run = small(tmp_path / "run", teacher, [prose, None])
        run.sections["sources"] = [{"name": "rows", "path": "rows.jsonl"}]
        run.sections["majority"] = {"categories": ["choice"]}
        counts = funnel(run.build())
        assert (counts["verify/unverifiable"], teacher.received) == (2, 0)


def test_killed_votes_end_in_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL between the rounds changes no byte, and the ledger alone makes the same dataset anew."""
    with Electorate(lambda _: AGREED, latency_s=0.02) as teacher:
        run = small(tmp_path / "run", teacher, [None if n % 3 else str(right(n)) for n in range(12)])
        run.sections["distill"] |= {"samples_per_round": 2, "max_rounds": 4}
        for moment in (has_paid_for(6), has_paid_for(30)):
            kill_when(run, moment, by_flow=False)
        finish(run)
        first, n_asked = digests_of(run.out), teacher.received
        for stage in ("manifests", "shards"):
            shutil.rmtree(run.folder / "store" / stage, ignore_errors=True)
        shutil.rmtree(run.out)
        finish(run)
        assert teacher.received == n_asked
    assert digests_of(run.out) == first
    assert table(run.out, "references").num_rows == 8


def test_a_flow_with_votes_publishes_the_same_bytes(prefect_flows: None, tmp_path: Path) -> None:  # noqa: ARG001
    """With a Prefect server and without one, over several shards."""
    with Electorate(lambda _: AGREED) as teacher:
        run = small(tmp_path / "run", teacher, [None] * 6, collect={"shard_rows": 3})
        run.build()
        plain = digests_of(run.out)
        for stage in ("manifests", "shards"):
            shutil.rmtree(run.folder / "store" / stage, ignore_errors=True)
        run.build_by_flow(tmp_path / "by_flow")
    assert digests_of(tmp_path / "by_flow") == plain


TEACHER = {"model": "m"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"majority": {"votes": 5}, "distill": {"teacher": TEACHER, "samples_per_round": 2, "max_rounds": 2}}, "4 times"),
    ({"majority": {}, "distill": {"teacher": TEACHER | {"temperature": 0}, "samples_per_round": 8}}, "temperature 0"),
    ({"majority": {}, "clean": {"unusable_reference": ["math"]}}, "unusable_reference"),
    ({"majority": {"categories": ["code"]}}, "majority.categories"),
    ({"majority": {"votes": 1}}, "majority.votes"),
    ({"majority": {"share": 0}}, "majority.share"),
]


@pytest.mark.parametrize(("sections", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_vote_that_could_never_come_about_is_refused(sections: dict[str, Any], says: str) -> None:
    """Too few samples, samples that are all the same, and problems that are dropped before are said at once."""
    least = {"teacher": {"model": "m"}, "samples_per_round": 8}
    raw = {"name": "r", "sources": [{"name": "s", "path": "s.jsonl"}], "distill": least, **sections}
    with pytest.raises(RecipeError, match=says):
        parse_recipe(raw)


def test_an_unset_section_is_in_no_digest() -> None:
    """Keys and datasets of recipes without votes stay as they were."""
    raw = {"name": "r", "sources": [{"name": "s", "path": "s.jsonl"}], "distill": {"teacher": {"model": "m"}}}
    assert "majority" not in parse_recipe(raw).content()
    assert parse_recipe(raw).digest() == "7bb81d7d4039211f9d8750a875fd957b122dc480d9eb2f0687d570ff0e8300cf"
