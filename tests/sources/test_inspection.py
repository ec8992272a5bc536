"""What the first rows of somebody's files say, without being told anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import ROOT
from tracemill.core import Category, SourceError, UnknownLayoutError
from tracemill.sources.inspection import CONSTRAINTS, LETTER, NOTHING, NUMBER, PROSE, ROWS, TESTS, Inspected, inspected

OPTIONS = "\nA) red\nB) blue\nC) green"
TESTED = {"kind": "assert", "asserts": ["assert f(1) == 1"]}


def look(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> Inspected:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return inspected([path])[0]


def asked(n: int, **more: Any) -> dict[str, Any]:
    return {"question": f"What is the sum of {n} and seven?", **more}


def turns(n: int, reply: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"How many are {n} and 2?"}, {"role": "assistant", "content": reply}]


@pytest.mark.parametrize(
    ("row", "layout", "columns", "category", "judged_by"),
    [
        (lambda n: asked(n, answer=str(n + 7)), "plain", {}, "math", NUMBER),
        (lambda n: asked(n, answer=f"Add.\n#### {n + 7}"), "gsm8k", {}, "math", NUMBER),
        (lambda n: {"problem": f"Find x + {n}", "solution": f"It is $\\boxed{{{n}}}$."}, "math", {}, "math", NUMBER),
        (lambda n: {"Body": f"Tom has {n} hats", "Question": "How many?", "Answer": n}, "svamp", {}, "math", NUMBER),
        (
            lambda n: {"Problem": f"Find x for {n} and 7", "target": n},
            "plain",
            {"prompt": "Problem", "reference_answer": "target"},
            "math",
            NUMBER,
        ),
        (
            lambda n: {"input": f"Add up {n} and 7", "output": str(n)},
            "plain",
            {"prompt": "input", "reference_answer": "output"},
            "math",
            NUMBER,
        ),
        (
            lambda n: {"utterance": f"Tell me of {n} things", "no": n},
            "plain",
            {"prompt": "utterance"},
            "other",
            NOTHING,
        ),
        (
            lambda n: {"q": f"How many are {n} and one?", "a": n + 1},
            "plain",
            {"prompt": "q", "reference_answer": "a"},
            "math",
            NUMBER,
        ),
        (
            lambda n: {"问题": f"小明有{n}个苹果,又买了3个,现在有几个苹果?", "答案": n + 3},
            "plain",
            {"prompt": "问题", "reference_answer": "答案"},
            "math",
            NUMBER,
        ),
        (lambda n: asked(n, answer="AB"[n % 2]) | {"question": f"Case {n}?{OPTIONS}"}, "plain", {}, "choice", LETTER),
        (lambda n: asked(n, answer="Because light bends around it"), "plain", {}, "other", PROSE),
        (asked, "plain", {}, "other", NOTHING),
        (lambda n: asked(n, tests=TESTED), "plain", {}, None, TESTS),
        (lambda n: asked(n, constraints=[{"id": "no_comma", "kwargs": {}}]), "plain", {}, None, CONSTRAINTS),
        (lambda n: {"text": f"Write f{n}", "test_list": ["assert f(1) == 1"]}, "mbpp", {}, None, TESTS),
        (
            lambda n: {"messages": turns(n, "Four.")},
            "plain",
            {"prompt": "messages", "response": "messages"},
            "other",
            NOTHING,
        ),
    ],
)
def test_rows_say_how_they_are_laid_out_and_judged(
    row: Any, layout: str, columns: dict[str, str], category: str | None, judged_by: str, tmp_path: Path
) -> None:
    """Layout, columns that plain must be told, category, and what answers are judged by."""
    found = look(tmp_path, [row(n) for n in range(12)])
    assert (found.layout.layout, dict(found.layout.columns), found.category) == (layout, columns, category)
    assert found.judged_by == {judged_by: 12}
    assert not found.dropped


def test_the_demo_is_seen_through() -> None:
    """Each of the demo's files is read as its recipe says."""
    names = ["traced.jsonl.zst", "word_problems.jsonl", "contest.jsonl", "drill.csv", "extra.parquet"]
    found = inspected([ROOT / "demo" / "sources" / name for name in names])
    assert [one.layout.layout for one in found] == ["am", "gsm8k", "math", "plain", "plain"]
    assert [one.name for one in found] == ["traced", "word_problems", "contest", "drill", "extra"]
    assert (found[0].traces, found[0].n_bare) == ({"deepseek-r1": 82}, 12)
    assert found[2].n_duplicates == 1


@pytest.mark.needs_real_data
@pytest.mark.parametrize(
    ("name", "layout", "category"),
    [
        ("gsm8k_train", "gsm8k", "math"),
        ("math_competition", "math", "math"),
        ("svamp", "svamp", "math"),
        ("mbpp", "mbpp", "code"),
        ("code_contests_sample", "code_contests", "code"),
        ("ifeval_prompts", "ifeval", "instruction"),
    ],
)
def test_published_sets_are_known_by_their_columns(name: str, layout: str, category: str, real_data: Path) -> None:
    """Every real set is read by its own layout, and all of its rows can be used."""
    (found,) = inspected([real_data / "sources" / f"{name}.jsonl"])
    assert (found.layout.layout, set(found.categories)) == (layout, {category})
    assert not found.dropped
    assert found.languages["en"] > 0.9 * found.n_rows


def test_no_author_is_made_up_for_traces(tmp_path: Path) -> None:
    """A conversation with reasoning has the author that its column model says, else nobody; never R1 by its columns."""
    reply = "<think>\nadd\n</think>\n4"
    assert look(tmp_path, [{"messages": turns(n, reply)} for n in range(3)]).traces == {"unknown": 3}
    said = look(tmp_path, [{"conversations": turns(n, reply), "model": "Qwen/Qwen3-32B"} for n in range(3)])
    assert (said.traces, said.n_bare) == ({"qwen3-32b": 3}, 0)
    column = look(tmp_path, [asked(n, answer=str(n), output=reply) for n in range(3)])
    assert (column.layout.columns, column.traces) == ({"response": "output"}, {"unknown": 3})


def test_rows_that_cannot_be_used_and_duplicates_are_counted(tmp_path: Path) -> None:
    """By the reasons that the run would give, and by content."""
    rows = [
        asked(1, answer="8"),
        asked(1, answer="8"),
        "{broken",
        {"question": None, "answer": "1"},
        asked(2, answer=9),
    ]
    found = look(tmp_path, rows)
    assert found.dropped == {"malformed_json": 1, "missing_prompt": 1}
    assert (found.n_rows, found.n_duplicates) == (5, 1)


def test_columns_have_types_and_a_bounded_sample(tmp_path: Path) -> None:
    """A column says what its values are, and the first that is there, cut short and with control characters escaped."""
    found = look(tmp_path, [{"question": "a b c\x1b[31m" + "d" * 99, "n": None}, {"question": "e f g", "n": 1.5}])
    assert found.columns["n"].types == {"null": 1, "number": 1}
    sample = found.columns["question"].sample
    assert sample.startswith("'a b c\\x1b[31m")
    assert len(sample) <= 60


def test_only_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    """Of a larger file a thousand; what is behind them is not read, be it ever so broken."""
    found = look(tmp_path, [asked(n, answer=str(n)) for n in range(ROWS + 1)] + ["{"] * 5)
    assert (found.n_rows, found.more, found.dropped) == (ROWS, True, {})


def test_of_equal_layouts_the_one_that_reads_the_traces_is_taken(tmp_path: Path) -> None:
    """OpenR1-Math has NuminaMath's columns too, and without its own layout its generations would be lost."""
    about = {"question_type": "math-word-problem", "generations": ["<think>\nadd\n</think>\n1"]}
    about["correctness_math_verify"] = [True]
    found = look(tmp_path, [{"problem": f"Find {n} + 1", "answer": str(n + 1), **about} for n in range(5)])
    assert (found.layout.layout, found.traces) == ("openr1_math", {"deepseek-r1": 5})


def test_a_column_that_nobody_reads_is_told(tmp_path: Path) -> None:
    """What looks like a reference beside the one that is read."""
    assert look(tmp_path, [asked(n, answer="1", gold="2") for n in range(3)]).unread == ["gold"]


def test_parts_of_a_question_that_nobody_reads_are_told(tmp_path: Path) -> None:
    """Options and inputs in columns of their own: without them the question is another one."""
    rows = [asked(n, answer=n, choices=["1", "2"], input="", options=[]) for n in range(3)]
    assert look(tmp_path, rows).parts == ["choices"]
    alpaca = [
        {"instruction": f"Sum up text {n}", "input": "The text.", "output": "A reply of a model"} for n in range(3)
    ]
    assert look(tmp_path, alpaca).parts == ["input"]


def test_names_are_distinct_and_fit_for_a_recipe(tmp_path: Path) -> None:
    """Files of one name, or of names that no source can have, have names of their own."""
    paths = [tmp_path / "a" / "rows.jsonl", tmp_path / "b" / "rows.jsonl", tmp_path / "b" / "é (1).jsonl"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(asked(1, answer="8")))
    assert [one.name for one in inspected(paths)] == ["rows", "rows-2", "1"]


def test_a_folder_is_one_source(tmp_path: Path) -> None:
    """As in a recipe; and a glob likewise."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(asked(ord(name), answer="8")))
    assert [one.n_rows for one in inspected([tmp_path, tmp_path / "*.jsonl"])] == [2, 2]


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("none.jsonl", None, SourceError, "there is no file"),
        ("rows.xlsx", "x", SourceError, "the format of .*is not known"),
        ("rows.jsonl", "", SourceError, "has no rows"),
        ("rows.csv", "question,answer\n", SourceError, "has no rows"),
        ("rows.jsonl", "{broken\n[1]\n", SourceError, "none of the first 2 rows"),
        ("rows.jsonl", "<!DOCTYPE html><html></html>", SourceError, "not what its name says"),
        ("rows.jsonl", '{"x": 1, "y": "two words"}\n', UnknownLayoutError, "no column that can be the question"),
        ("rows.jsonl", '{"question": null, "answer": "1"}\n', UnknownLayoutError, "no column that can be the question"),
        ("rows.jsonl", "{}\n", UnknownLayoutError, "no column that can be the question"),
    ],
)
def test_bad_input_is_refused(name: str, text: str | None, error: type[Exception], says: str, tmp_path: Path) -> None:
    """No file, no format, no rows, no question: each says what it found."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=says):
        inspected([tmp_path / name])


def test_mixed_rows_are_judged_as_most_of_them(tmp_path: Path) -> None:
    """The category of those that do not say theirs; what is judged otherwise is counted."""
    rows = [asked(n, answer=str(n)) for n in range(5)] + [asked(9, answer="It depends on weather")]
    found = look(tmp_path, rows)
    assert (found.category, found.judged_by) == (Category.MATH, {NUMBER: 5, PROSE: 1})
