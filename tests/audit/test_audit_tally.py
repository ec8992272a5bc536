"""Counting an audit: kinds of reasons, groups, examples, and that no row is lost or counted twice."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tests.support.runs.samples import problem, response
from tracemill.audit import AuditedRow, Tally, audited
from tracemill.audit.report import render, report
from tracemill.audit.rows import reason_kind, with_response
from tracemill.audit.tally import VERDICTS
from tracemill.core import ConservationError, Dropped, Verdict, table_of


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("the units differ: 5 cm and 5 m", "the units differ"),
        ("the reference is prose of 12 words", "the reference is prose of N words"),
        ("the reference is no answer: 'proof'", "the reference is no answer"),
        (r"expected \frac{1}{2}, got 11.06", "another answer than expected"),
        ("expected 2000", "another answer than expected"),
        ("IE: there are no stdio tests", "IE: there are no stdio tests"),
        ("3/10 tests passed: AC AC AC WA RE; test 4: got 7", "tests failed, the first with WA"),
        ("0/10 tests passed", "N/N tests passed"),
        ("no verifier for other", "no verifier for other"),
        ("", ""),
        ("first line\nsecond line", "first line"),
        ("x" * 500, "x" * 80 + " …"),
        ("some words " * 20, "some words " * 7 + "…"),
    ],
)
def test_kinds_of_reasons(detail: str, kind: str) -> None:
    """Details of one kind are one reason, whatever their numbers and quotations."""
    assert reason_kind(detail) == kind


def row(number: int, outcome: str, detail: str = "", upstream: str | None = "x") -> AuditedRow:
    asked = problem(f"What is {number}?", info={"upstream_source": upstream, "file": "f"}, row=number)
    answered = response(asked, f"r{number}")
    verdict = Verdict(answered.id, asked.id, outcome, None, "math@3", "7", detail)
    return audited([with_response(asked, answered)], {answered.id: answered}, {answered.id: verdict})[0]


def tally_of(rows: list[AuditedRow]) -> Tally:
    tally = Tally(VERDICTS)
    tally.add(table_of(AuditedRow, rows))
    return tally


def test_a_lost_row_is_an_error() -> None:
    """A count that is not the number of input rows is refused, in either direction."""
    for n_rows in (0, 2):
        with pytest.raises(ConservationError):
            tally_of([row(1, "correct")]).summary(n_rows)


def test_no_judged_row_has_no_accuracy() -> None:
    """Where nothing was judged right or wrong there is no accuracy, rather than zero."""
    summary = tally_of([row(1, "timeout")]).summary(1)
    assert summary["accuracy"] is None
    assert "–" in render(summary, VERDICTS)


def test_a_missing_sandbox_says_what_to_do() -> None:
    """Rows that the sandbox failed are counted as such, and the summary names the usual cause and the remedy."""
    rows = [row(n, "sandbox_error", "no Docker engine answers: start one") for n in range(3)]
    summary = tally_of([*rows, row(4, "sandbox_error", "container died"), row(5, "correct")]).summary(5)
    assert (summary["sandbox_error"], summary["accuracy"]) == (4, 1.0)
    assert summary["advice"][0].startswith(
        "4 rows were not judged because the sandbox failed: no Docker engine answers"
    )
    assert "run the same command again" in summary["advice"][0]
    assert "no Docker engine answers" in render(summary, VERDICTS)
    assert "no Docker engine answers" in report("t", "i", summary, VERDICTS)


def test_examples_do_not_depend_on_the_order() -> None:
    """The same ten wrong rows are shown in whatever order the shards are counted."""
    rows = [row(n, "incorrect", "expected 1, got 7") for n in range(40)]
    backwards = Tally(VERDICTS)
    for one in reversed(rows):
        backwards.add(table_of(AuditedRow, [one]))
    first, second = tally_of(rows).summary(40), backwards.summary(40)
    assert first == second
    assert len(first["examples"]) == 10


def test_rows_without_a_label_count_for_the_input() -> None:
    """A row that names no upstream source, or could not be read, is counted under the input's own name."""
    tally = tally_of([row(1, "correct", upstream=None), row(2, "correct", upstream="")])
    tally.add_dropped(table_of(Dropped, [Dropped("", "a", 3, "collect", "malformed_json", {"file": "f"}, raw="{")]))
    assert list(tally.summary(3)["by_source"]) == ["a"]


def test_many_sources_and_reasons_are_folded() -> None:
    """A set whose rows each name a source of their own does not fill the summary; nothing of it is lost."""
    rows = [row(n, "unverifiable", f"kind {chr(97 + n % 26)}", upstream=f"s{n}") for n in range(300)]
    summary: dict[str, Any] = tally_of(rows).summary(300)
    assert len(summary["by_source"]) == 201
    assert sum(group["rows"] for group in summary["by_source"].values()) == 300
    assert summary["by_source"]["(others)"]["rows"] == 100
    assert sum(summary["reasons"]["unverifiable"].values()) == 300
    assert "more in summary.json" in render(summary, VERDICTS)


def test_lengths_pass_rates_and_repeats_are_counted() -> None:
    """Rows by length and verdict; problems by the share of right rows; rows that share their problem, by source."""
    rows = [
        row(1, "correct"),
        dataclasses.replace(row(1, "incorrect", upstream="y"), response_id="another"),
        row(1, "correct"),
        row(2, "incorrect"),
        row(3, "timeout"),
        dataclasses.replace(row(4, "correct"), n_tokens=10**9),
    ]
    tallies = [tally_of(rows), tally_of(rows[:3])]
    tallies[1].add(table_of(AuditedRow, rows[3:]))
    for summary in (tally.summary(6) for tally in tallies):
        assert summary["pass_rates"] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
        assert summary["repeated"] == {
            "x": {"same_response": 2, "other_response": 0},
            "y": {"same_response": 0, "other_response": 1},
        }
        tokens = summary["tokens"]
        assert (tokens["correct"][0], tokens["correct"][-1], sum(tokens["incorrect"]), sum(tokens["other"])) == (
            2,
            1,
            2,
            1,
        )
        titles = re.findall(r"<h3>(.*?)</h3>", report("t", "i", summary, VERDICTS))
        assert titles == [
            "What became of the rows",
            "By source",
            "By category",
            "Problems by pass rate",
            "Responses by tokens (estimated; every step doubles)",
            "Rows whose problem stands in another row",
        ]


def test_no_text_of_a_row_is_read_as_html() -> None:
    """Sources, reasons, answers, details and what was looked at stand in the page as text."""
    evil = "<script>x</script>&"
    rows = [row(1, "incorrect", evil, upstream=evil), dataclasses.replace(row(2, "incorrect"), extracted=evil)]
    page = report(evil, evil, tally_of(rows).summary(2), VERDICTS)
    assert "<script" not in page
    escaped = "&lt;script&gt;x&lt;/script&gt;&amp;"
    for place in ("<h1>{}</h1>", "<p>{}</p>", "<td>{}</td>", "<code>{}</code>", '<text x="0" y="11">{}</text>'):
        assert place.format(escaped) in page


def test_an_audit_of_nothing_has_a_page() -> None:
    """No rows are no error: nothing is drawn that has no figures."""
    summary = Tally(VERDICTS).summary(0)
    assert (sum(summary["pass_rates"]), summary["repeated"]) == (0, {})
    assert "Problems by pass rate" not in report("t", "i", summary, VERDICTS)
