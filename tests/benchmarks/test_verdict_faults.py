"""The benchmark of kinds of faults, on a few rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.verification.verdict_faults import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def case(kind: str, reference: str, response: str, right: str | list[str]) -> dict[str, Any]:
    row = {"id": kind, "category": "math", "response": response, "reference_answer": reference}
    return {"kind": kind, "row": row, "right": right}


def test_counts_by_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verdict counts once under its kind: as right, as falsely correct or incorrect, or as undecided."""
    cases = [
        case("K1", "5", r"\boxed{5}", "correct"),
        case("K1", "5", r"\boxed{5}", "incorrect"),
        case("K2", "5", r"\boxed{6}", "correct"),
        case("K2", "5", r"\boxed{6}", ["unverifiable", "incorrect"]),
        case("K10", "proof", r"\boxed{6}", "incorrect"),
        case("K10", "proof", "", "incorrect"),
    ]
    path = tmp_path / "few.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in cases))
    main([str(path), "--show", "--workers", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["K1", "2", "1", "1", "0", "0"],
        ["K2", "2", "1", "0", "1", "0"],
        ["K10", "2", "1", "0", "0", "1"],
    ]
    assert lines[4].split() == ["all", "6", "3", "(50.0%)", "1", "(16.7%)", "1", "(16.7%)", "1", "(16.7%)"]
    assert sum("right is" in line for line in lines) == 3

    main([str(path), "--kinds", "K2", "--workers", "1"])
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:3]] == [["K2", "2"], ["all", "2"]]
