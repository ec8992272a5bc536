"""docs/scaling.md: its tables are what the rates come to."""

from __future__ import annotations

import pytest

from benchmarks.engine import scaling, scaling_rates
from benchmarks.engine.scaling import COMPUTE, KEPT, filled, needs_table, tables, written
from benchmarks.engine.scaling_rates import Known, Rate
from tests.support.needs import ROOT

RATES = {name: rate for name, rate in vars(scaling_rates).items() if isinstance(rate, Rate)}


def test_the_page_is_what_the_rates_come_to() -> None:
    """The page in docs/ is the one that `make docs` writes."""
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert filled(page) == page, "docs/scaling.md is stale: run `make docs`"


def test_a_page_without_a_marker_is_refused() -> None:
    """A table that has no place is an error, not left out."""
    with pytest.raises(ValueError, match=r"the page has no <!-- benchmarks\.engine\.scaling: compute --> …"):
        filled("# Nothing here")


@pytest.mark.parametrize("name", RATES)
def test_every_rate_says_how_it_is_known(name: str) -> None:
    """A rate is positive, and names a benchmark of ours, a publication or a formula."""
    rate = RATES[name]
    assert rate.value > 0
    assert rate.unit
    assert len(rate.source) > 10
    assert rate.known in Known


@pytest.mark.parametrize("name", [name for name, rate in RATES.items() if rate.known is Known.MEASURED])
def test_measured_rates_name_where(name: str) -> None:
    """What is measured by a benchmark is in benchmarks/README.md, under the name that its source gives."""
    source = RATES[name].source
    benchmark = source.partition("`: ")[0].strip("`") if source.startswith("`") else None
    told = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert benchmark is None or f"| {benchmark} |" in told or (ROOT / benchmark).is_file()


def test_amounts_grow_with_the_rows() -> None:
    """A thousandfold of rows needs a thousandfold, where nothing is compared with everything."""
    for need in (*COMPUTE, *KEPT):
        assert need.amount(1e9) == pytest.approx(1000 * need.amount(1e6))
    pairs = next(need for need in scaling.AT_ONCE if "every pair" in need.what)
    assert pairs.amount(1e9) == pytest.approx(1e6 * pairs.amount(1e6))


def test_what_the_teacher_needs() -> None:
    """GPU hours are answers times tokens by tokens a second: 0.9M answers of 3,500 tokens at 2,200 tokens/s."""
    assert COMPUTE[0].amount(1.4e6) == pytest.approx(900_000 * 3_500 / 2_200 / 3600)


@pytest.mark.parametrize(
    ("amount", "text"), [(0.0314, "0.031"), (9.96, "10"), (42.4, "42"), (397.7, "400"), (284_091, "280,000")]
)
def test_amounts_have_two_digits(amount: float, text: str) -> None:
    """More would be more than the rates are good for."""
    assert written(amount) == text


def test_a_table_says_what_its_amounts_are_from() -> None:
    """Each line names how its rates are known."""
    assert "measured" in needs_table(KEPT)
    assert set(tables()) == {"compute", "at once", "kept", "next design", "rates"}
