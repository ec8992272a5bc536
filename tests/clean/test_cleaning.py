"""Cleaning of a shard: every row is kept or dropped, and what is rewritten can be traced back."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.samples import problem
from tracemill.clean.clean import clean
from tracemill.core import Category, Dropped, Problem, problem_id, rows_of, table_of
from tracemill.recipe.sections.clean import Clean
from verifiers.reference_reader import VerifiersReader

ALL = tuple(Category)
REFERENCED = (Category.MATH, Category.CHOICE)
EVERYTHING = Clean(
    strip_labels=ALL, incomplete=ALL, garbled=ALL, languages=("en", "zh"), url=ALL, table=ALL, figure=ALL, drawing=ALL,
    proof=ALL, multi_part=ALL, multiple_choice=ALL, fill_in=True, unusable_reference=REFERENCED,
)  # fmt: skip
CHOICE = "What is 7 + 8?\nA. 12\nB. 15\nC. 18"
PIECES = st.sampled_from(
    [
        *(
            "Problem 12. ",
            "Question: ",
            "Find x. ",
            "How many? ",
            "A. 1 B. 2 C. 3 ",
            "(a) Find x. (b) Find y. ",
            "Prove that ",
        ),
        *(
            "https://x.org ",
            "|a|b|\n|-|-|\n",
            "as shown ",
            "[asy]x[/asy] ",
            "the ",
            "\ufffd",
            "已知",
            "求x。",
            "\\[",
            "```\n",
            " ",
        ),
    ]
)
PROMPTS = st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=30)


def cleaned(problems: list[Problem], settings: Clean) -> tuple[list[Problem], list[Dropped]]:
    kept, dropped = clean(table_of(Problem, problems), settings, VerifiersReader())
    assert kept.schema == Problem.arrow
    return list(rows_of(Problem, kept)), dropped


def test_each_drop_has_its_reason() -> None:
    """Too short prompts and repeated ids are dropped, each with its reason; the rest stays in order."""
    first, copy = problem("What is one plus one?"), problem("What is one plus one?", row=5)
    kept, dropped = cleaned([first, problem("Hi there"), problem("Another one of four words"), copy], Clean())
    assert [p.prompt for p in kept] == [first.prompt, "Another one of four words"]
    assert [(row.row, row.reason) for row in dropped] == [(0, "too_short"), (5, "exact_duplicate")]
    assert dropped[1].evidence["kept"] == first.id


def test_the_copy_with_a_trace_is_kept() -> None:
    """Of equal rows the one with a trace of R1's stays, which can save a generation; else the one with most traces."""
    plain = problem("What is one plus one?")
    others = problem("What is one plus one?", traces=[{"model": "qwq-32b"}, {"model": "gemini"}], row=1)
    traced = problem("What is one plus one?", traces=[{"model": "deepseek-r1"}], row=2)
    kept, dropped = cleaned([plain, others, traced], Clean())
    assert kept == [traced]
    assert [row.row for row in dropped] == [0, 1]
    assert cleaned([plain, others], Clean())[0] == [others]


def test_a_rewritten_problem_has_the_id_of_what_it_is_now() -> None:
    """The id is the digest of the new prompt, the former one is kept, and so is what was cut off."""
    before = problem("Problem 12. What is one plus one?")
    (after,), dropped = cleaned([before], Clean(strip_labels=ALL))
    assert not dropped
    assert after.prompt == "What is one plus one?"
    assert after.id == problem_id(after.prompt, [], "1", None, None) == problem(after.prompt).id
    assert after.info == {"former_id": before.id, "rewritten": {"labels": ["Problem 12."]}}


def test_labels_hide_no_duplicate() -> None:
    """Two rows that differ in a label are one problem."""
    kept, dropped = cleaned([problem("What is 1 + 1?"), problem("Q: What is 1 + 1?", row=1)], Clean(strip_labels=ALL))
    assert [p.prompt for p in kept] == ["What is 1 + 1?"]
    assert [(row.row, row.reason) for row in dropped] == [(1, "exact_duplicate")]


def test_a_dropped_row_names_its_former_id() -> None:
    """A row that was rewritten and then dropped is found under either id."""
    before = problem("Question: See https://example.org, what is x?")
    _, (row,) = cleaned([before], Clean(strip_labels=ALL, url=ALL))
    assert row.reason == "url"
    assert row.prompt == "See https://example.org, what is x?"
    assert row.evidence["former_id"] == before.id != row.id


def test_multiple_choice_by_recipe() -> None:
    """Kept, dropped with its options, or rewritten with the option's text for a reference."""
    row = problem(CHOICE, "B", traces=[{"answer": "B"}])
    assert cleaned([row], Clean())[0] == [row]
    _, (dropped,) = cleaned([row], Clean(multiple_choice=ALL))
    assert (dropped.reason, dropped.evidence) == ("multiple_choice", {"options": {"A": "12", "B": "15", "C": "18"}})
    (opened,), _ = cleaned([row], Clean(multiple_choice=ALL, fill_in=True))
    assert (opened.prompt, opened.reference_answer) == ("What is 7 + 8?", "15")
    assert opened.info["rewritten"]["fill_in"]["former_reference"] == "B"


def test_a_rewritten_question_leaves_its_traces() -> None:
    """A trace that answers B answers the old question: it would be called wrong beside 15."""
    row = problem(CHOICE, "B", traces=[{"answer": "B"}, {"answer": "C"}])
    (opened,), _ = cleaned([row], Clean(multiple_choice=ALL, fill_in=True))
    assert opened.traces == []
    assert opened.info["rewritten"]["n_traces_left_out"] == 2


def test_a_choice_that_cannot_be_rewritten_says_why() -> None:
    """It is dropped, with its options and the reason."""
    row = problem("Which of the following is 15?\nA. 12\nB. 15\nC. 18", "B")
    _, (dropped,) = cleaned([row], Clean(multiple_choice=ALL, fill_in=True))
    assert dropped.reason == "multiple_choice"
    assert dropped.evidence["why_not_rewritten"] == "the question speaks of its options"


@given(st.lists(st.tuples(PROMPTS, st.sampled_from(ALL), st.sampled_from(["1", "B", "proof", None])), max_size=8))
def test_no_row_is_lost(rows: list[tuple[str, Category, str | None]]) -> None:
    """Kept and dropped are all rows, no kept id is there twice, and the same shard is always cleaned alike."""
    shard = [
        problem(prompt, reference, category=category, row=row) for row, (prompt, category, reference) in enumerate(rows)
    ]
    kept, dropped = cleaned(shard, EVERYTHING)
    assert sorted([p.row for p in kept] + [row.row for row in dropped]) == list(range(len(shard)))
    assert len({p.id for p in kept}) == len(kept)
    assert all(row.reason and row.stage == "clean" for row in dropped)
    assert [p.row for p in kept] == sorted(p.row for p in kept)
    assert cleaned(shard, EVERYTHING) == (kept, dropped)


def test_an_empty_shard_stays_empty() -> None:
    """No rows in, no rows out, under the schema."""
    kept, dropped = clean(pa.Table.from_pylist([], Problem.arrow), EVERYTHING, VerifiersReader())
    assert (kept.num_rows, dropped, kept.schema) == (0, [], Problem.arrow)
