"""``report.html``: what is counted, how it is drawn, and that nothing from a source or elsewhere gets into the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from markupsafe import escape

from tests.support.browser.tags import EVIL, Seen
from tests.support.runs.cards import recipe
from tests.support.runs.published_runs import sample
from tests.support.runs.samples import problem
from tracemill.core import Dropped, Problem, table_of
from tracemill.decontaminate.report import BenchmarkReport
from tracemill.html.charts import Bar, bar_chart, compact, histogram
from tracemill.html.links import ADDRESS
from tracemill.label.counts import LabelSummary
from tracemill.publish.examples import Example, examples_of
from tracemill.publish.funnel import FUNNEL
from tracemill.publish.report import report
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import LENGTHS, PublishedTally, Tallying, length_bin
from tracemill.select import Sample
from tracemill.store import Store


def traces(*rows: tuple[str, str, bool, int]) -> pa.Table:
    names = ("problem_id", "outcome", "published", "think_tokens")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) | {"answer_tokens": 10} for row in rows])


def evil_page() -> str:
    funnel = [
        {"source": EVIL, "stage": stage, "reason": EVIL if stage == "verify" else "rows", "rows": n_rows}
        for stage, n_rows in (("source", 9), ("deduplicate", 2), ("verify", 4), ("published", 3))
    ]
    found = {"source": EVIL, "item": EVIL, "method": EVIL, "score": 1.0, "prompt": EVIL, "overlap": EVIL}
    tally = PublishedTally(asked={EVIL: 7}, published={EVIL: 3}, pass_rates=[1] * 11, lengths_published=[3] * 12)
    return report(
        BuildSummary(
            recipe(description=EVIL),
            pa.Table.from_pylist(funnel, schema=FUNNEL),
            LabelSummary({}, {"language": {EVIL: 3}}),
            tally,
            contamination=[BenchmarkReport(EVIL, 4, 2, ["a"], {EVIL: 2}, {EVIL: 2}, {}, [found])],
            examples={("verify", EVIL): [Example(EVIL, 3, EVIL, EVIL)]},
        )
    )


def test_the_page_is_one_file_and_everything_in_it_is_escaped() -> None:
    """No script, no address but the row browser's, no tag from a source's texts; every tag is closed."""
    page = evil_page()
    seen = Seen(page)
    assert seen.open == []
    assert not {"script", "link", "img", "iframe"} & set(seen.tags)
    assert [each for each in seen.addresses if not each.startswith(f"{ADDRESS}?stage=")] == []
    assert not re.search(r"https?://(?!127\.0\.0\.1:4280/\?stage=)|@import|url\(", page)
    assert "&lt;script&gt;" in page


def test_every_plot_is_there() -> None:
    """Funnel, yields, pass rates, lengths, duplicates and contamination; phones and dark mode have their style."""
    page = evil_page()
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles == [
        "Where the rows went",
        "Yield by source",
        "Yield by category",
        "Problems by pass rate",
        "Responses by tokens (estimated; every step doubles)",
        "Duplicates by source",
        "Contamination by benchmark",
    ]
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page


def test_dropped_rows_are_shown_by_reason(tmp_path: Path) -> None:
    """The first three of each, with the beginnings of prompt or raw text; and what a part of a chart stands for."""
    page = evil_page()
    assert f"<summary>verify: {escape(EVIL)}</summary>" in page
    assert "row 3</td>" in page
    assert re.search(r"<rect class=\"kept\"[^>]*><title>[^<]*: 3 published</title></rect>", page)
    store = Store(str(tmp_path))
    rows = [Dropped("", "a", n, "collect", "broken", {"n": n}, None, "x" * 1_000) for n in range(5)]
    rows.append(Dropped(problem("p").id, "a", 9, "verify", "incorrect", {}, "a prompt"))
    found = examples_of(store, [store.write_table(table_of(Dropped, part)) for part in (rows, [], rows[:1])])
    assert {key: len(each) for key, each in found.items()} == {("collect", "broken"): 3, ("verify", "incorrect"): 1}
    assert len(found["collect", "broken"][0].text) == 200
    assert found["verify", "incorrect"][0].text == "a prompt"


def test_a_run_without_rows_has_a_page() -> None:
    """Nothing to draw is no plot, and no error."""
    page = report(BuildSummary(recipe(), FUNNEL.empty_table(), LabelSummary({}, {}), PublishedTally()))
    assert Seen(page).open == []
    assert "<figure>" in page
    assert "Problems by pass rate" not in page


def test_the_tally_counts_problems_rows_and_responses() -> None:
    """A problem counts once in the pass rates, by its judged responses alone; every response counts by its length."""
    tallying = Tallying()
    tallying.add_problems(table_of(Problem, [problem("a"), problem("b"), problem("c", category="code")]))
    rows = [sample("a", quality=4), sample("b", licence="X", non_commercial=True)]
    tallying.add_samples(table_of(Sample, rows))
    tallying.add_traces(
        traces(("a", "correct", True, 90), ("a", "incorrect", False, 55), ("a", "timeout", False, 10**9))
    )
    tallying.add_traces(
        traces(("b", "correct", True, 0), ("c", "incorrect", False, 0), ("d", "unverifiable", False, 0))
    )
    tally = tallying.result()
    assert (tally.asked, tally.published, tally.n_rows) == ({"math": 2, "code": 1}, {"math": 2}, 2)
    assert {(each.licence, each.non_commercial): each.rows for each in tally.licences} == {
        ("MIT", False): 1,
        ("X", True): 1,
    }
    assert tally.labels["quality"] == {"4": 1, "none": 1}
    assert tally.pass_rates == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert tally.lengths_published == [1, 1, *[0] * 10]
    assert tally.lengths_other == [2, 1, *[0] * 8, 0, 1]
    assert PublishedTally.model_validate(tally.model_dump()) == tally


@pytest.mark.parametrize(
    ("n_tokens", "place"), [(0, 0), (64, 0), (65, 1), (LENGTHS[-1], len(LENGTHS) - 1), (10**9, 11)]
)
def test_lengths_fall_into_their_step(n_tokens: int, place: int) -> None:
    """A bound belongs to the step that it ends."""
    assert length_bin(n_tokens) == place


def rectangles(svg: str, kind: str) -> list[dict[str, float]]:
    found = [element for element in ET.fromstring(svg).iter() if element.get("class") == kind]  # noqa: S314 - our own
    return [{name: float(element.get(name, "nan")) for name in ("x", "y", "width", "height")} for element in found]


def test_bars_are_on_one_scale() -> None:
    """Lengths are in proportion, parts join, and the longest bar is as wide as the chart."""
    svg = bar_chart(EVIL, [Bar(EVIL, "1", [("kept", 30), ("other", 10)]), Bar("b", "2", [("kept", 20)])])
    first, second = rectangles(svg, "kept")
    (other,) = rectangles(svg, "other")
    assert first["width"] == 1.5 * second["width"] == 3 * other["width"]
    assert other["x"] == first["width"]
    assert other["x"] + other["width"] == 360
    assert bar_chart("none", []) == ""


def test_columns_are_stacked() -> None:
    """The highest sum fills the plot, a second series stands on the first, and nothing at all is no chart."""
    svg = histogram("lengths", ["a", "b"], {"kept": [3, 1], "other": [1, 0]})
    low, small = rectangles(svg, "kept")
    (top,) = rectangles(svg, "other")
    assert low["height"] + top["height"] == 120
    assert top["y"] + top["height"] == low["y"]
    assert low["height"] == 3 * small["height"]
    assert histogram("none", ["a"], {"kept": [0]}) == ""


def test_large_numbers_are_short() -> None:
    """Axes have room for five characters."""
    numbers: list[Any] = [0, 950, 9_999, 12_345, 1_400_000]
    assert [compact(number) for number in numbers] == ["0", "950", "9,999", "12.3k", "1.4M"]
