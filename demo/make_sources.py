"""Makes the demo's sources and benchmarks, flaws included (python -m demo.make_sources).

Deterministic: the same code writes the same rows, and the same bytes where the library versions are the same. What
was planted, and where, goes into sources/PLANTED.json.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from demo import planting
from demo.layouts import PROMPT_KEYS, Row, Trace, am_row, question_row
from demo.problems import FAMILIES, Problem
from demo.similarity import shingles
from demo.teacher.evaluate import held_out

DEMO_DIR = Path(__file__).parent
SEED = 20_261
# Few hard ones: the teacher should be right most of the time (teacher/README.md has the shares).
HARD_SHARE = 0.15
N_BENCHMARK = 40
# Of the benchmark that the teacher itself is scored on, with more hard ones: 301 items.
N_EVALUATED = 43  # a family
HARD_EVALUATED = 0.3
TRACED = "traced.jsonl.zst"
N_SOUND = {"word_problems.jsonl": 92, "contest.jsonl": 60, "drill.csv": 50, "extra.parquet": 30}
BARE = ("addition", "subtraction", "multiplication")
# The files not named here hold every family.
FAMILIES_OF = {
    "word_problems.jsonl": tuple(family for family in FAMILIES if family not in BARE),
    "contest.jsonl": (*BARE, "two_steps"),
    "drill.csv": BARE,
}
N_TRACES = {"trace_right": 44, "trace_wrong": 18, "trace_truncated": 12}
N_PLANTED = {
    "exact_duplicate": 24,
    "near_duplicate": 20,
    "contaminated": 16,
    "wrong_reference": 16,
    "reference_not_answer": 10,
    "too_short_prompt": 6,
}
JSONL_FILES = ("word_problems.jsonl", "contest.jsonl")
# Two prompts that are not planted share none of their runs of eight words: neither is the other's duplicate or leak.
RUN = 8


@dataclass
class Entry:
    """One row to be written. `value` is a row, or text that stands in the file as it is.

    `of` is the entry that a duplicate repeats, `item` the benchmark item that a leak contains.
    """

    file: str
    value: Row | str
    prompt: str = ""
    kind: str | None = None
    problem: Problem | None = None
    of: Entry | None = None
    item: int | None = None
    row: int = -1


@dataclass
class Plan:
    """Everything that is to be written."""

    rng: Random
    benchmark: list[Problem] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    runs: set[tuple[str, ...]] = field(default_factory=set)

    def new_problem(self, file: str | None = None) -> Problem:
        """Return a problem, of the families that the file holds, that shares no run of words with any earlier one."""
        families = FAMILIES_OF.get(file or "", tuple(FAMILIES))
        while True:
            problem = FAMILIES[self.rng.choice(families)](self.rng, self.rng.random() < HARD_SHARE)
            runs = shingles(problem.prompt, RUN)
            if not runs & self.runs:
                self.runs |= runs
                return problem

    def add(self, file: str, prompt: str, problem: Problem, reference: str | None, **about: Any) -> None:
        """Add a row of a file without traces; `about` says what was planted."""
        value = question_row(file, prompt, problem, reference, self.rng)
        self.entries.append(Entry(file, value, prompt, problem=problem, **about))

    def any_file(self) -> str:
        """Return a file without traces, drawn by size."""
        return self.rng.choices(list(N_SOUND), weights=list(N_SOUND.values()))[0]

    def sound(self) -> list[Entry]:
        """Return the rows without a flaw so far, each with its problem."""
        return [entry for entry in self.entries if entry.kind is None]


def make_plan(seed: int = SEED) -> Plan:
    """Draws the benchmark and all rows; their order within the files is drawn last."""
    plan = Plan(Random(seed))
    plan.benchmark = [plan.new_problem() for _ in range(N_BENCHMARK)]
    for file, n_sound in N_SOUND.items():
        for _ in range(n_sound):
            problem = plan.new_problem(file)
            plan.add(file, problem.prompt, problem, str(problem.answer))
    add_duplicates(plan)
    add_leaks(plan)
    add_bad_references(plan)
    add_malformed(plan)
    add_traced(plan)
    place(plan)
    return plan


def add_duplicates(plan: Plan) -> None:
    """Exact duplicates, within a file and across, and near duplicates; no row is repeated twice."""
    originals = plan.sound()
    plan.rng.shuffle(originals)
    for entry in originals[: N_PLANTED["exact_duplicate"]]:
        add_copy(plan, entry, planting.repeated(entry.prompt, plan.rng), "exact_duplicate")
    wanted = N_PLANTED["near_duplicate"]
    for entry in originals[N_PLANTED["exact_duplicate"] :]:
        prompt = planting.reworded(entry.prompt, plan.rng)
        if prompt is not None and wanted:
            wanted -= 1
            add_copy(plan, entry, prompt, "near_duplicate")


def add_copy(plan: Plan, entry: Entry, prompt: str, kind: str) -> None:
    """One repeat of `entry`, in any of the files."""
    problem = entry.problem
    if problem is not None:
        plan.add(plan.any_file(), prompt, problem, str(problem.answer), kind=kind, of=entry)


def add_leaks(plan: Plan) -> None:
    """Rows that are, or contain, an item of the benchmark."""
    for item in plan.rng.sample(range(N_BENCHMARK), N_PLANTED["contaminated"]):
        problem = plan.benchmark[item]
        prompt = planting.leaked(problem.prompt, plan.rng)
        plan.add(plan.any_file(), prompt, problem, str(problem.answer), kind="contaminated", item=item)


def add_bad_references(plan: Plan) -> None:
    """Rows whose reference is wrong, or is no answer, and prompts too short to be a question."""
    for _ in range(N_PLANTED["wrong_reference"]):
        file = plan.any_file()
        problem = plan.new_problem(file)
        wrong = planting.wrong_answer(problem.answer, plan.rng)
        plan.add(file, problem.prompt, problem, str(wrong), kind="wrong_reference")
    for index in range(N_PLANTED["reference_not_answer"]):
        file = plan.any_file()
        problem = plan.new_problem(file)
        reference = planting.NO_ANSWERS[index % len(planting.NO_ANSWERS)]
        # The two layouts that hide the answer in a text have another way to have none: no mark before it.
        missing = file in JSONL_FILES and not reference
        plan.add(file, problem.prompt, problem, None if missing else reference, kind="reference_not_answer")
    for prompt in planting.SHORT_PROMPTS:
        problem = plan.new_problem()
        plan.add(plan.any_file(), prompt, problem, str(problem.answer), kind="too_short_prompt")


def add_malformed(plan: Plan) -> None:
    """Rows that cannot be read, or have no prompt."""
    for file in (*JSONL_FILES, TRACED):
        for _ in range(2):
            plan.entries.append(Entry(file, broken_line(plan), kind="broken_json"))
    for file in JSONL_FILES:
        for kind, prompt in (("null_prompt", None), ("non_string_prompt", 42), ("non_string_prompt", ["Add 1 to 2."])):
            plan.entries.append(Entry(file, {**spare_row(plan, file), PROMPT_KEYS[file]: prompt}, kind=kind))
        for _ in range(2):
            row = spare_row(plan, file)
            del row[PROMPT_KEYS[file]]
            plan.entries.append(Entry(file, row, kind="no_prompt_column"))
    for file in PROMPT_KEYS:
        plan.entries.append(Entry(file, {**spare_row(plan, file), PROMPT_KEYS[file]: ""}, kind="empty_prompt"))
    null_row = {**spare_row(plan, "extra.parquet"), "question": None}
    plan.entries.append(Entry("extra.parquet", null_row, kind="null_prompt"))


def spare_row(plan: Plan, file: str) -> Row:
    """Return a sound row to be damaged."""
    problem = plan.new_problem(file)
    return question_row(file, problem.prompt, problem, str(problem.answer), plan.rng)


def broken_line(plan: Plan) -> str:
    """Return a JSON line that ends in mid-string, as after a full disk."""
    line = json.dumps(spare_row(plan, "word_problems.jsonl"))
    return line[: plan.rng.randint(20, len(line) - 10)]


def add_traced(plan: Plan) -> None:
    """The rows that arrive with a trace: right, wrong, truncated, and chats with nothing to check."""
    for kind, count in N_TRACES.items():
        for _ in range(count):
            problem = plan.new_problem()
            trace = planting.trace(kind, problem, plan.rng)
            value = am_row(problem.prompt, str(problem.answer), trace, plan.rng)
            plan.entries.append(Entry(TRACED, value, problem.prompt, kind=kind, problem=problem))
    for prompt, reply in planting.CHATS:
        trace = Trace("The question is open, so one short and friendly reply is enough.", reply)
        plan.entries.append(Entry(TRACED, am_row(prompt, None, trace, plan.rng), prompt, kind="chat_no_reference"))


def place(plan: Plan) -> None:
    """Shuffles the rows and numbers them within their files, from 0."""
    plan.rng.shuffle(plan.entries)
    seen: Counter[str] = Counter()
    for entry in plan.entries:
        entry.row = seen[entry.file]
        seen[entry.file] += 1


def planted(plan: Plan) -> dict[str, Any]:
    """Return what PLANTED.json says: counts by kind, and each planted row with what it repeats or leaks."""
    rows = []
    for entry in plan.entries:
        if entry.kind is None:
            continue
        row: Row = {"file": entry.file, "row": entry.row, "kind": entry.kind}
        if entry.of is not None:
            row["of"] = {"file": entry.of.file, "row": entry.of.row}
        if entry.item is not None:
            row["benchmark_item"] = entry.item
        rows.append(row)
    rows.sort(key=lambda row: (row["file"], row["row"]))
    counts = Counter(row["kind"] for row in rows)
    sizes = Counter(entry.file for entry in plan.entries)
    return {"rows_per_file": dict(sorted(sizes.items())), "counts": dict(sorted(counts.items())), "rows": rows}


def json_lines(values: Iterator[Row | str]) -> bytes:
    """Return one line a value; text goes in as it is."""
    lines = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)
    return "".join(f"{line}\n" for line in lines).encode()


def csv_bytes(rows: list[Row]) -> bytes:
    """Return a CSV file with a header line, quoted only where needed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=["prompt", "reference_answer"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet_bytes(rows: list[Row]) -> bytes:
    """Return a Parquet file of the two string columns question and answer."""
    schema = pa.schema([("question", pa.string()), ("answer", pa.string())])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def files(plan: Plan) -> dict[str, bytes]:
    """Return the content of every file, by its path below demo/."""

    def values(file: str) -> list[Any]:
        return [entry.value for entry in plan.entries if entry.file == file]

    made = {f"sources/{file}": json_lines(iter(values(file))) for file in JSONL_FILES}
    compressor = zstandard.ZstdCompressor(level=9, write_checksum=True)
    made[f"sources/{TRACED}"] = compressor.compress(json_lines(iter(values(TRACED))))
    made["sources/drill.csv"] = csv_bytes(values("drill.csv"))
    made["sources/extra.parquet"] = parquet_bytes(values("extra.parquet"))
    made["sources/PLANTED.json"] = (json.dumps(planted(plan), indent=1) + "\n").encode()
    holdout = ({"problem": p.prompt, "answer": str(p.answer)} for p in plan.benchmark)
    made["benchmarks/holdout.jsonl"] = json_lines(holdout)
    return made


def evaluation() -> dict[str, bytes]:
    """Return the benchmark for evaluations: problems that the teacher was not trained on, each with its family."""
    rows: Iterator[Row | str] = (
        {"id": f"{one.family}-{number}", "family": one.family, "problem": one.prompt, "answer": str(one.answer)}
        for number, one in enumerate(held_out(N_EVALUATED, HARD_EVALUATED))
    )
    return {"benchmarks/evaluation.jsonl": json_lines(rows)}


def main() -> None:
    """Write all files below the demo's folder."""
    parser = argparse.ArgumentParser(prog="python -m demo.make_sources", description=__doc__)
    parser.add_argument("--out", type=Path, default=DEMO_DIR, help="where sources/ and benchmarks/ go")
    out: Path = parser.parse_args().out
    for path, content in (files(make_plan()) | evaluation()).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
        print(f"{len(content):>8}  {path}")


if __name__ == "__main__":
    main()
