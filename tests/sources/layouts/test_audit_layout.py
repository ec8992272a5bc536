"""Which layout an audit reads somebody's rows by: plain by their columns, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.phases.audited_layout import laid_out
from flows.verify_dataset import audit_recipe
from tracemill.core import Problem, RecipeError, UnknownLayoutError
from tracemill.sources.collect import RAW, collect
from tracemill.sources.layouts.recognition import WITH_RESPONSES, Layout, checked, detected
from tracemill.sources.layouts.registry import LAYOUTS

OPENR1 = (
    "problem solution answer problem_type question_type source uuid is_reasoning_complete generations "
    "correctness_math_verify correctness_llama finish_reasons correctness_count messages"
)
FULL59K = "solution question cot_type source_type metadata cot thinking_trajectories attempt"
S1K_11 = (
    "solution question cot_type source_type metadata gemini_thinking_trajectory gemini_attempt "
    "deepseek_thinking_trajectory deepseek_attempt gemini_grade deepseek_grade"
)
KODCODE = (
    "version style subset conversation_id question solution test test_info gpt_pass_sequence gpt_difficulty "
    "conversations r1_pass_sequence r1_correctness r1_solution metadata"
)
COTS = "id aliases description examples note generation finish_reason api_metadata messages prompt title"
PUBLISHED = (
    "id response_id source category messages prompt think answer reference_answer tests constraints model verifier"
)
CONTRACT = "id category prompt response reference_answer tests constraints"


def rows(columns: str, **values: Any) -> list[dict[str, Any]]:
    return [dict.fromkeys(columns.split()) | values]


@pytest.mark.parametrize(
    ("columns", "layout"),
    [
        ("messages", "am"),
        ("messages source id", "am"),
        (OPENR1, "openr1_math"),
        (OPENR1.replace(" messages", ""), "openr1_math"),
        ("problem answer generations", "openr1_math"),
        ("problem answer messages", "openr1_math"),
        ("question final_answer difficulty topic r1_solution_1 r1_solution_2 r1_solution_3", "deepmath"),
        (FULL59K, "s1"),
        (S1K_11, "s1"),
        ("question_id question reference_answer model_name model_answer model_reasoning task", "general_thought"),
        ("system conversations", "thoughts"),
        ("problem deepseek_reasoning deepseek_solution ground_truth_solution domain source test_cases starter_code",
         "open_thoughts_metadata"),
        (KODCODE, "kodcode"),
        ("split question solution test_code test_entry_point conversations", "kodcode"),
        (COTS, "codeforces_cots"),
        ("version input output category license reasoning generator used_in_training", "nemotron_sft"),
        (PUBLISHED, "tracemill"),
        (CONTRACT, "plain"),
        ("question answer output", "plain"),
        ("problem final_answer generation source", "plain"),
        ("instruction output", "plain"),
        ("query response type", "plain"),
    ],
)  # fmt: skip
def test_the_layout_is_told_by_its_columns(columns: str, layout: str) -> None:
    """Rows of every layout that brings responses are known by their columns, in whatever order they stand."""
    assert detected("set", rows(columns)).name == layout
    assert detected("set", rows(" ".join(reversed(columns.split())))).name == layout


def test_plain_rows_say_where_their_response_stands() -> None:
    """Of rows that nobody's layout describes, the one column that may hold a response is read."""
    assert detected("set", rows("question answer output")) == Layout(
        "plain", {"prompt": "question", "response": "output"}
    )


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("question answer", "no column for the response; columns answer, question"),
        ("text label", "no column for the prompt"),
        ("question answer output response", "response and output, which may all be the response"),
        ("question problem response", "question and problem, which may all be the prompt"),
        ("messages reasoning answer", "dolphin_deepseek and as dolphin_flash"),
        ("messages answer", "a conversation, and beside it answer"),
        ("messages ground_truth", "a conversation, and beside it ground_truth"),
        ("conversations solution", "a conversation, and beside it solution"),
        ("question ground_truth response", "ground_truth, which nobody named as the reference"),
    ],
)
def test_what_is_not_plain_is_refused(columns: str, words: str) -> None:
    """Two candidates, a reference that nothing reads, or no response: refused with the columns and a way on."""
    with pytest.raises(UnknownLayoutError) as caught:
        detected("set", rows(columns))
    assert words in str(caught.value)
    assert all(name in str(caught.value) for name in columns.split())
    assert "--layout" in str(caught.value)
    assert "--column response=" in str(caught.value)


def test_a_reference_in_the_turns_is_the_turns_own() -> None:
    """AM's rows stay AM's beside a column that looks like a reference, as their turns say what they are judged by."""
    turns = [{"role": "user", "content": "?", "info": {"reference_answer": "1"}}, {"role": "assistant", "content": "1"}]
    assert detected("set", rows("messages answer", messages=turns)).name == "am"


def test_columns_of_all_first_rows_count() -> None:
    """A column that the first row leaves out is seen in the next one."""
    assert detected("set", [*rows("problem answer"), *rows("problem answer generations")]).name == "openr1_math"


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in WITH_RESPONSES and name != "plain"])
def test_questions_are_not_audited(name: str) -> None:
    """A layout that brings no responses is refused, naming those that do."""
    with pytest.raises(UnknownLayoutError, match=r"(?s)questions.*openr1_math.*check_references"):
        checked("set", rows("question"), Layout(name))


@pytest.mark.parametrize(
    ("layout", "columns", "words"),
    [
        (Layout("s1"), OPENR1, "not laid out as s1"),
        (Layout("am"), "question answer output", "not laid out as am"),
        (Layout("plain", {"response": "said"}), "question answer", "no column said"),
        (Layout("plain", {"prompt": "q"}), "q answer", "no column for the response"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(layout: Layout, columns: str, words: str) -> None:
    """Named columns or layouts that the rows do not have are refused with those that they have."""
    with pytest.raises(UnknownLayoutError, match=words) as caught:
        checked("set", rows(columns), layout)
    assert "answer" in str(caught.value)


def test_named_columns_come_before_guesses() -> None:
    """What is named need not be guessed: two columns that may be the response, or the question, are no matter then."""
    found = checked("set", rows("question answer output response"), Layout("plain", {"response": "output"}))
    assert found.columns == {"response": "output", "prompt": "question"}
    named = Layout("plain", {"prompt": "problem", "response": "response"})
    assert checked("set", rows("question problem response"), named).columns == named.columns


def write(folder: Path, *lines: object) -> str:
    path = folder / "set.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return str(path)


def test_the_recipe_of_an_audit_gets_its_layout(tmp_path: Path) -> None:
    """Detected from the file's rows, bad lines left out; named instead where it is; AM's where no row can be read."""
    path = write(tmp_path, "{broken", "[1]", *rows("problem answer generations"))
    recipe = audit_recipe(path, {}, [])
    assert laid_out(recipe, "", []).sources[0].layout == "openr1_math"
    named = laid_out(recipe, "", ["response=generations"]).sources[0]
    assert (named.layout, named.columns) == ("plain", {"prompt": "problem", "response": "generations"})
    assert laid_out(audit_recipe(write(tmp_path, "{broken"), {}, []), "", []).sources[0].layout == "am"
    with pytest.raises(RecipeError, match=r"(?s)no layout openr1.*did you mean openr1_math"):
        laid_out(recipe, "openr1", [])
    with pytest.raises(RecipeError, match=r"--column said names no field[\s\S]*response"):
        laid_out(recipe, "", ["said=generations"])
    with pytest.raises(RecipeError, match="--column response names no field"):
        laid_out(recipe, "", ["response"])
    with pytest.raises(RecipeError, match=r"--layout plain"):
        laid_out(recipe, "am", ["response=generations"])


def read(layout: Layout, folder: Path, **row: Any) -> list[Problem]:
    import pyarrow as pa

    recipe = laid_out(
        audit_recipe(write(folder, row), {}, []), layout.name, [f"{k}={v}" for k, v in layout.columns.items()]
    )
    raw = pa.Table.from_pylist([{"file": "f", "row": 0, "raw": json.dumps(row).encode()}], schema=RAW)
    return collect(raw, recipe.sources[0])[0]


TURNS = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>t</think>2"}]


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        ("<think>t</think>2", ["2"]),
        (["<think>t</think>2", "3", ""], ["2", "3"]),
        (TURNS, ["2"]),
        ([{"response_model": "m", "response": "2"}, {"response": "3"}], ["2", "3"]),
        (None, []),
        ("", []),
        ([], []),
    ],
)
def test_plain_responses(value: Any, answers: list[str], tmp_path: Path) -> None:
    """A plain row's responses are a text, a list of texts or of objects with one, or the reply of a conversation."""
    layout = Layout("plain", {"response": "output", "prompt": "question"})
    [found] = read(layout, tmp_path, question="1+1?", answer="2", output=value)
    assert [trace["answer"] for trace in found.traces] == answers
    assert (found.prompt, found.reference_answer) == ("1+1?", "2")


def test_one_conversation_may_be_question_and_response(tmp_path: Path) -> None:
    """Prompt and response in one column of turns, and the reference in another."""
    layout = Layout("plain", {"prompt": "messages", "response": "messages"})
    [found] = read(layout, tmp_path, answer="2", messages=TURNS)
    assert (found.prompt, found.reference_answer, found.traces[0]["answer"]) == ("1+1?", "2", "2")


def test_a_published_dataset_is_read_back(tmp_path: Path) -> None:
    """A row of ``dataset/`` has its question, criteria, history and response again, under the id that it had."""
    turns = [{"role": "system", "content": "Be brief."}, *TURNS]
    [found] = read(
        Layout("tracemill"), tmp_path, id="x", response_id="r", source="gsm8k", category="math", messages=turns,
        prompt="1+1?", think="t", answer="2", reference_answer="2", tests=None, constraints=None, model="deepseek-r1",
        verifier="math@8", licence="MIT", non_commercial=False,
    )  # fmt: skip
    assert (found.prompt, found.reference_answer, found.category) == ("1+1?", "2", "math")
    assert found.history == turns[:1]
    assert found.traces == [{"model": "deepseek-r1", "think": "t", "answer": "2", "fault": None}]
