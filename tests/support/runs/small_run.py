"""A small dataset build for tests: its sources, its recipe, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

if TYPE_CHECKING:
    from flows.build_dataset import Built
    from flows.engine.plain_run import PlainRun
    from flows.phases.audit import AuditRun
    from tracemill.recipe import Recipe

NOUNS = [
    "apples",
    "boats",
    "cards",
    "doors",
    "eggs",
    "flags",
    "gates",
    "hats",
    "inks",
    "jars",
    "kites",
    "lamps",
    "maps",
    "nails",
]
ADD = "a, b = map(int, input().split())\nprint(a {} b)"
STREAMS = {"inputs": ["1 2\n", "5 7\n"], "outputs": ["3\n", "12\n"]}
# Sections of a build from one source, without benchmarks: fewer tasks, where it is not asked what becomes of those.
ONE_SOURCE: dict[str, Any] = {
    "sources": [{"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"}],
    "decontaminate": {"benchmarks": []},
}
PLACES = ["market", "harbour", "library", "garden", "station", "bakery", "museum", "castle", "forest", "valley"]


def question(number: int) -> dict[str, Any]:
    """A problem whose words and numbers are its own, so that no two are near-duplicates."""
    left, right = 100 + 7 * number, 20 + 3 * number
    digest = hashlib.sha256(str(number).encode()).digest()
    words = " ".join(NOUNS[byte % len(NOUNS)] for byte in digest[:6])
    place = PLACES[digest[7] % len(PLACES)]
    text = f"Note {number} from the {place} lists {words}. What is {left} + {right}?"
    return {"question": text, "answer": f"Add them.\n#### {left + right}"}


def traced(number: int, answer: int) -> dict[str, Any]:
    """A row in AM's layout that brings a trace with ``answer``."""
    asked = question(number)
    reference = asked["answer"].split("#### ")[1]
    think, said = "\nadd\n", f"It is \\boxed{{{answer}}}."
    user = {"role": "user", "content": asked["question"], "info": {"source": "x", "reference_answer": reference}}
    reply = {"role": "assistant", "content": f"<think>{think}</think>\n<answer>{said}</answer>", "info": {}}
    return {"messages": [user, reply]}


def _program(prompt: str, operator: str) -> dict[str, Any]:
    """A row in AM's layout whose trace is a program, and whose tests say whether it adds."""
    info = {"source": "x", "test_case": {"ground_truth": STREAMS}}
    said = f"<think>\nadd\n</think>\n<answer>```python\n{ADD.format(operator)}\n```</answer>"
    user = {"role": "user", "content": prompt, "info": info}
    return {"messages": [user, {"role": "assistant", "content": said, "info": {}}]}


def programs() -> str:
    """Lines of two such rows, of which one adds."""
    right = _program("Read two integers from one line of standard input and print their sum.", "+")
    wrong = _program("Each line has the weights of a boat and of its cargo; say how heavy they are together.", "-")
    return f"{json.dumps(right)}\n{json.dumps(wrong)}\n"


@dataclass
class SmallRun:
    """Sources and recipe below one folder; change either between builds.

    Attributes:
        rows: of the GSM8K-layout source.
        sections: of the recipe, merged over the defaults here.
    """

    folder: Path
    teacher_url: str
    model: str = "demo"
    rows: list[Any] = field(default_factory=lambda: [question(n) for n in range(60)])
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe_path(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def write(self) -> None:
        """Puts sources and recipe on disk; files that are as they should be are not touched."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in self.rows]
        right, wrong = traced(1000, 100 + 7000 + 20 + 3000), traced(1001, -1)
        texts = {
            "rows.jsonl": "\n".join(lines) + "\n",
            "traced.jsonl": json.dumps(right) + "\n" + json.dumps(wrong) + "\n",
            "bench.jsonl": json.dumps({"problem": question(3)["question"]}) + "\n",
            "recipe.yaml": yaml.safe_dump(self.recipe()),
        }
        for name, text in texts.items():
            path = self.folder / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def recipe(self) -> dict[str, Any]:
        raw: dict[str, Any] = {
            "name": "small",
            "data_dir": str(self.folder),
            "sources": [
                {"name": "traced", "path": "traced.jsonl", "layout": "am"},
                {"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"},
            ],
            "collect": {"shard_rows": 20},
            "decontaminate": {"benchmarks": [{"name": "bench", "path": "bench.jsonl"}]},
            "distill": {
                "teacher": {
                    "model": self.model,
                    "base_urls": [self.teacher_url],
                    "max_tokens": 64,
                    "give_up_after_s": 5,
                    "max_in_flight": 8,
                }
            },
            "verify": {"workers": 1},
            "run": {"store": str(self.folder / "store"), "workers": 3},
        }
        for section, changes in self.sections.items():
            raw[section] = raw.get(section, {}) | changes if isinstance(changes, dict) else changes
        return raw

    def build(self, out: str | Path = "") -> Built:
        """Builds in this process, without Prefect: seconds less, and the same bytes (``test_dag_edges``)."""
        from flows.build_dataset import build

        return build(self._context(), str(out or self.out))

    def refresh(self) -> Built:
        """Brings it up to date likewise."""
        from flows.refresh_dataset import refresh

        return refresh(self._context(), str(self.out))

    def check(self, out: Path) -> AuditRun:
        """Checks its references likewise."""
        from flows.check_references import check

        return check(self._context(), str(out))

    def _context(self) -> PlainRun[Recipe]:
        from flows.engine.plain_run import plain_run
        from flows.teacher_from_env import load_recipe_with_env

        self.write()
        return plain_run(load_recipe_with_env(str(self.recipe_path), []))

    def build_by_flow(self, out: str | Path = "") -> Built:
        """Builds in this process, on the server of the fixture ``prefect_flows``."""
        from flows.build_dataset import build_dataset

        self.write()
        built: Built = build_dataset(str(self.recipe_path), out=str(out or self.out))
        return built

    def digests(self) -> dict[str, str]:
        """SHA-256 of every published file."""
        return digests_of(self.out)


def audit(dataset: Path | str, out: Path, overrides: list[str], limit: int | None = None, **hub: str) -> AuditRun:
    """Audits a dataset in this process, without Prefect."""
    from flows.engine.plain_run import plain_run
    from flows.phases.audited_layout import laid_out
    from flows.verify_dataset import audit_recipe, verify

    recipe = laid_out(audit_recipe(str(dataset), hub, overrides), "", [], limit)
    return verify(plain_run(recipe), str(dataset), limit, str(out))


def digests_of(out: Path) -> dict[str, str]:
    """SHA-256 of every file of what stands in a run's directory."""
    current = (out / "current").resolve() if (out / "current").exists() else out
    files = [path for path in sorted(current.rglob("*")) if path.is_file() and ".tmp" not in path.parts]
    return {str(path.relative_to(current)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def table(out: Path, name: str) -> pa.Table:
    """All rows of ``dataset``, ``dropped`` or ``verdicts``."""
    return pa.concat_tables([pq.read_table(path) for path in sorted((out / name).glob("*.parquet"))])


def funnel(built: Built) -> dict[str, int]:
    """Rows by stage/reason, over all sources."""
    counts: dict[str, int] = {}
    for row in built.manifest["funnel"]:
        key = f"{row['stage']}/{row['reason']}"
        counts[key] = counts.get(key, 0) + row["rows"]
    return counts
