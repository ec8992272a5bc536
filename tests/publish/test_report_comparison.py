"""The part of ``report.html`` that compares with an earlier publication, and that it changes nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.browser.tags import EVIL, Seen
from tests.support.runs.cards import recipe
from tests.support.runs.small_run import SmallRun, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError
from tracemill.inference.usage import Usage
from tracemill.label.counts import LabelSummary
from tracemill.publish.comparison import comparison, signed
from tracemill.publish.earlier import Earlier, earlier_of, figures_of
from tracemill.publish.funnel import FUNNEL, stages
from tracemill.publish.report import report
from tracemill.publish.summary import BuildSummary
from tracemill.publish.tally import PublishedTally

PRICED = {"model": "m", "price": {"input": 0, "output": 10}}


def funnel(**rows: int) -> pa.Table:
    """Of one source: rows by stage, each with one reason."""
    return pa.Table.from_pylist(
        [{"source": "a", "stage": stage, "reason": f"{stage}_why", "rows": n} for stage, n in rows.items()],
        schema=FUNNEL,
    )


def summary(table: pa.Table, n_tokens: int, **counts: Any) -> BuildSummary:
    tally = PublishedTally(published={"math": counts.pop("rows")}, **counts)
    usage = {"m": Usage(n=3, completion_tokens=n_tokens)}
    return BuildSummary(recipe(distill={"teacher": PRICED}), table, LabelSummary({}, {}), tally, usage=usage)


def earlier(made: BuildSummary, name: str = "version 1", run: str = "DIR@1") -> Earlier:
    """What a publication's manifest says of it."""
    files = {"dataset/train.parquet": {"rows": made.tally.n_rows, "size": 1, "sha256": "0" * 64}}
    manifest = {"files": files, "funnel": made.funnel.to_pylist(), **json.loads(json.dumps(figures_of(made)))}
    found = earlier_of(manifest, name, run)
    assert found is not None
    return found


def cells(page: str) -> list[str]:
    """The lines of the page's tables, as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]


@pytest.fixture
def before() -> BuildSummary:
    return summary(
        funnel(source=100, clean=10, verify=20, published=70), 1_000, rows=70, lengths_published=[70, *[0] * 11]
    )


@pytest.fixture
def now() -> BuildSummary:
    table = funnel(source=120, clean=10, label=5, verify=24, published=81)
    return summary(table, 500_000, rows=81, lengths_published=[0, 81, *[0] * 10])


def test_what_differs_is_told(before: BuildSummary, now: BuildSummary) -> None:
    """Rows, reasons with their shares, sources and money, each before and now; what is as before is counted."""
    page = comparison(now, earlier(before))
    assert "Compared with version 1" in page
    assert "<code>python -m tracemill diff DIR@1 DIR</code>" in page
    assert "<div>81 (+11)<small>rows published</small></div>" in page
    assert cells(page)[1:3] == ["label label why 0 0.0% 5 4.2% +5", "verify verify why 20 20.0% 24 20.0% +4"]
    assert "1 reason dropped as many rows as before" in page
    assert "a 100 120 +20 70 81 +11" in cells(page)
    assert "m 3 3 1,000 500,000 0.01 USD 5.00 USD" in cells(page)


def test_charts_set_both_side_by_side(before: BuildSummary, now: BuildSummary) -> None:
    """Rows left after a stage that only one of them has; lengths as shares of each run's own."""
    page = comparison(now, earlier(before))
    assert re.findall(r"<h3>(Rows left.*?|Published responses.*?)</h3>", page) == [
        "Rows left after each stage",
        "Published responses by tokens, as shares",
    ]
    told = re.findall(r"<title>([^<]*)</title>", page)
    assert {"label: 90 before", "label: 105 now", "source rows: 120 now", "published: 70 before"} <= set(told)
    assert {"≤ 64: 100.0% before, 70", "≤ 128: 100.0% now, 81"} <= set(told)
    assert stages(now.funnel) == {"source rows": 120, "clean": 110, "label": 105, "verify": 81, "published": 81}


def test_a_publication_of_an_older_release_is_compared_by_its_funnel(before: BuildSummary, now: BuildSummary) -> None:
    """Without what it never told: lengths, pass rates and money."""
    manifest = {"files": {}, "funnel": before.funnel.to_pylist()}
    old = earlier_of(manifest, "version 1", "DIR@1")
    assert old is not None
    page = comparison(now, old)
    assert "Rows left after each stage" in page
    assert "as shares" not in page
    assert cells(page)[-1] == "m 0 3 0 500,000 not known 5.00 USD"


@pytest.mark.parametrize("manifest", [{}, {"files": {}, "funnel": 3}, {"files": {}, "funnel": [], "tally": []}])
def test_what_no_release_has_written_is_not_compared(manifest: dict[str, Any]) -> None:
    """A manifest that somebody else wrote is no reason to fail at the end of a run."""
    assert earlier_of(manifest, "x", "x") is None


def test_texts_of_strangers_are_escaped(now: BuildSummary) -> None:
    """A source, a reason, a path; every tag is closed."""
    table = pa.Table.from_pylist(
        [{"source": EVIL, "stage": stage, "reason": EVIL, "rows": 9} for stage in ("source", "clean", "published")],
        schema=FUNNEL,
    )
    page = report(BuildSummary(**vars(now) | {"earlier": Earlier(EVIL, EVIL, 9, table, usage={EVIL: Usage(n=1)})}))
    seen = Seen(page)
    assert seen.open == []
    assert "script" not in seen.tags
    assert "Compared with &lt;script&gt;" in page


def test_nothing_differs(before: BuildSummary) -> None:
    """Then it says so."""
    assert "No figure of the funnel differs." in comparison(before, earlier(before))
    assert [signed(number) for number in (3, 0, -1_000)] == ["+3", "±0", "−1,000"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallRun]:
    with ChatServer() as teacher:
        yield SmallRun(tmp_path, teacher.url, rows=[question(number) for number in range(20)])


def test_the_report_of_a_second_publication_compares(small: SmallRun) -> None:
    """With the one that it takes the place of; the dataset is as without, and a third build finds it finished."""
    small.build()
    first = small.out / "versions/0001"
    assert "Compared with" not in (first / "report.html").read_text()
    small.rows += [question(number) for number in range(20, 30)]
    second = small.build().manifest
    assert "Compared with version 1" in (small.out / "report.html").read_text()
    alone = small.build(small.folder / "alone").manifest
    assert second["key"] == alone["key"]
    same = [name for name, entry in second["files"].items() if alone["files"][name] == entry]
    assert set(second["files"]) - set(same) == {"report.html"}
    again = small.build()
    assert (again.n_executed, again.manifest["version"]) == (0, 2)


def test_the_recipe_names_what_to_compare_with(small: SmallRun) -> None:
    """A version of another run; a place without a run is refused before anything is read."""
    small.build()
    small.rows += [question(number) for number in range(20, 30)]
    small.sections["export"] = {"compare_with": f"{small.out}@1"}
    other = small.folder / "other"
    small.build(other)
    page = (other / "report.html").read_text()
    assert f"diff {small.out}@1 DIR" in page
    small.sections["export"] = {"compare_with": str(small.folder / "nowhere")}
    with pytest.raises(RecipeError, match=r"compare_with(?s:.*)nowhere"):
        small.build(small.folder / "third")
    assert not (small.folder / "third").exists()
