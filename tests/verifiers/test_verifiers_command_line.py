"""The contract of ``python -m verifiers``: rows in, verdicts out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import ROOT
from tests.support.warm.start import python

GOOD = {
    "id": "x1", "category": "math", "prompt": "1+1?", "response": r"<think>2? \boxed{3}</think>So $\boxed{2}$.",
    "reference_answer": "2", "tests": None, "constraints": None,
}  # fmt: skip


def command(*options: str) -> list[str]:
    return [str(python()), "-m", "verifiers", "--workers", "1", *options]


def run(lines: list[bytes], *options: str) -> list[dict[str, Any]]:
    ended = subprocess.run(
        command(*options), cwd=ROOT, input=b"\n".join(lines), capture_output=True, timeout=60, check=True
    )
    assert ended.stderr == b""
    return [json.loads(line) for line in ended.stdout.splitlines()]


def encoded(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_a_row_gives_exactly_the_fields_of_the_contract() -> None:
    """A good row gives its id, outcome, score, verifier, extracted answer, detail and cause, and nothing else."""
    assert run([encoded()], "--sandbox", "docker", "--wall-s", "5", "--memory-mb", "512") == [
        {
            "id": "x1",
            "outcome": "correct",
            "score": 1.0,
            "verifier": "math@8",
            "extracted": "2",
            "detail": "the same text",
            "cause": None,
        }
    ]


def test_bad_rows_get_a_verdict_and_do_not_stop_the_good_ones() -> None:
    """Every line in gives one line out, in order; bad ones are unverifiable and say what, got, expected."""
    bad: list[tuple[bytes, object, str]] = [
        (b"{not json", None, "JSON"),
        (b"", None, "JSON"),
        (b"\xff\xfe", None, "JSON"),
        (b"[" * 100_000, None, "JSON"),
        (b'"text"', None, "an object"),
        (b"{}", None, "id is missing"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "id"}).encode(), None, "id is missing"),
        (encoded(id=7), 7, "id is of the wrong type"),
        (b'{"id": NaN}', None, "id is of the wrong type; got: nan"),
        (encoded(category="poetry"), "x1", "category is unknown; got: poetry; expected: one of math, code"),
        (encoded(category=None), "x1", "category is of the wrong type; got: None; expected: text"),
        (encoded(response=["2"]), "x1", "response is of the wrong type"),
        (encoded(prompt=3), "x1", "prompt is of the wrong type"),
        (encoded(reference_answer=2), "x1", "reference_answer is of the wrong type; got: 2; expected: text or null"),
        (encoded(tests=[]), "x1", "tests is of the wrong type"),
        (encoded(constraints={}), "x1", "constraints is of the wrong type"),
    ]
    lines = [line for row, _, _ in bad for line in (row, encoded(id="good"))]
    out = run(lines)
    assert len(out) == 2 * len(bad)
    assert {(row["id"], row["outcome"]) for row in out[1::2]} == {("good", "correct")}
    for (_, row_id, words), row in zip(bad, out[::2], strict=True):
        assert (row["id"], row["outcome"], row["score"]) == (row_id, "unverifiable", None)
        assert words in row["detail"]


def test_long_lines_and_a_byte_order_mark_are_read() -> None:
    """A response of ten megabytes is judged like any other, and so is the first line of a file with a mark."""
    long = encoded(id="long", response="so " * 3_500_000 + GOOD["response"])
    out = run([b"\xef\xbb\xbf" + encoded(id="marked"), long, encoded(id="last")])
    assert [(row["id"], row["outcome"]) for row in out] == [(name, "correct") for name in ("marked", "long", "last")]


def test_kinds_of_rows() -> None:
    """Rows without verifier, tests, reference, answer or end of thinking, and odd ones, each get their outcome."""
    program = {
        "category": "code",
        "response": "```python\nprint(4)\n```",
        "tests": {"kind": "stdio", "cases": [{"stdin": "", "stdout": "4"}]},
    }
    rows = [
        (encoded(category="other"), "unverifiable", "no verifier for other"),
        (encoded(category="code"), "unverifiable", "IE: the kind of tests is 'NoneType'"),
        (encoded(**program), "sandbox_error", "no sandbox was asked for; run again with --sandbox docker"),
        (encoded(**{**program, "response": "print(4)"}), "incorrect", "no program found"),
        (encoded(category="choice", reference_answer="B", response=r"\boxed{B}"), "correct", "the same letter"),
        (
            encoded(category="instruction", constraints=[{"id": "punctuation:no_comma", "kwargs": {}}]),
            "correct",
            "1/1 constraints hold",
        ),
        (encoded(reference_answer=None), "unverifiable", "the reference is missing"),
        (encoded(response=r"<think>so \boxed{2}"), "incorrect", "the response ends inside its think part"),
        (encoded(response="<think>hm</think>"), "no_answer", "there is nothing after the think part"),
        (encoded(response=""), "no_answer", "the response is empty"),
        (encoded(response=None), "no_answer", "the response is empty"),
        (encoded(response=r"\boxed{2}"), "correct", "the same text"),
        (encoded(response="\\boxed{2\ud800}"), "unverifiable", "read as mathematics"),
        (encoded(reference_answer=r"\sqrt8", response=r"\boxed{2\sqrt2}"), "correct", "computer algebra"),
    ]
    out = run([line for line, _, _ in rows])
    assert [row["outcome"] for row in out] == [outcome for _, outcome, _ in rows]
    assert all(words in row["detail"] for row, (_, _, words) in zip(out, rows, strict=True))


def test_verdicts_stream() -> None:
    """A verdict is written before the next row has been sent."""
    with subprocess.Popen(command(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for i in range(3):
            process.stdin.write(encoded(id=f"x{i}", response=r"\boxed{\frac{4}{2}+0}") + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == f"x{i}"
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_a_closed_output_ends_quietly(tmp_path: Path) -> None:
    """Piped into `head -1`, the command ends without a word."""
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(b"\n".join([encoded()] * 20_000))
    script = f"{' '.join(command())} < {rows} | head -1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    first, status = ended.stdout.splitlines()
    assert json.loads(first)["outcome"] == "correct"
    assert (status, ended.stderr) == ("0", "")


@pytest.mark.parametrize("options", [["--workers", "0"], ["--wall-s", "-1"], ["--memory-mb", "x"]])
def test_impossible_limits_are_refused(options: list[str]) -> None:
    """A limit that is not above zero is refused before anything is read."""
    ended = subprocess.run(command(*options), cwd=ROOT, input=b"", capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert options[0].encode() in ended.stderr
