"""A filter as it stands in a page's address, and the rows that it leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tracemill.browse.index import FACETS, OUTCOMES
from tracemill.core import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.browse.index import Index
    from tracemill.runs.why import Record

ROWS_A_PAGE: Final = 50
SEARCH_S: Final = 0.7  # of the second that an answer may take
_COLUMNS: Final = ("id", "source", "row", "prompt", "raw")
_MOST_CHOICES: Final = 500
_MOST_CHARS: Final = 200  # of a value that can be asked for


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


Percent = Annotated[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None, BeforeValidator(_none_if_empty)]


class Filter(BaseModel):
    """What rows are to be shown; an empty field asks for nothing.

    Attributes:
        stage: that dropped them, or ``published``.
        outcome: that one of their responses has.
        rate_from, rate_to: pass rate in percent.
        text: what their prompt contains.
        after: place of the last row that was seen; -1: from the first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str = Field("", max_length=_MOST_CHARS)
    reason: str = Field("", max_length=_MOST_CHARS)
    source: str = Field("", max_length=_MOST_CHARS)
    category: str = Field("", max_length=_MOST_CHARS)
    outcome: Annotated[Outcome | None, BeforeValidator(_none_if_empty)] = None
    rate_from: Percent = None
    rate_to: Percent = None
    text: str = Field("", max_length=1_000)
    after: int = Field(-1, ge=-1, le=2**40)

    @property
    def asked(self) -> dict[str, str]:
        """The fields that ask for something, as in an address."""
        told = self.model_dump(mode="json", exclude={"after"})
        return {
            name: f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in told.items()
            if value not in {None, ""}
        }


class Choice(NamedTuple):
    """A value that a filter can ask for, and how many rows it would leave."""

    value: str
    n_rows: int


class Page(NamedTuple):
    """Rows that a filter leaves.

    Attributes:
        rows: a page of them, with what a list shows.
        n_rows: of all that match; of a search for a text, of those whose text remains to be looked at.
        next_after: where the next page begins, or None.
        looked_to: how far a search got before its time was up: share of the rows from ``after`` on; 1: all of them.
        choices: of each facet.
    """

    rows: Sequence[Record]
    n_rows: int
    next_after: int | None
    looked_to: float
    choices: Mapping[str, Sequence[Choice]]


def page(index: Index, asked: Filter) -> Page:
    """Return one page of what a filter leaves."""
    masks = _masks(index, asked)
    matching = np.flatnonzero(_all(masks, index.n_rows))
    waiting = matching[matching > asked.after]
    looked_to = 1.0
    if asked.text:
        shown, n_looked_at = _searched(index, waiting, asked.text)
        looked_to = n_looked_at / len(waiting) if len(waiting) else 1.0
        more = n_looked_at < len(waiting) or len(shown) > ROWS_A_PAGE
        last = shown[ROWS_A_PAGE - 1] if len(shown) > ROWS_A_PAGE else waiting[n_looked_at - 1] if n_looked_at else -1
    else:
        shown, more = waiting[: ROWS_A_PAGE + 1], len(waiting) > ROWS_A_PAGE
        last = shown[ROWS_A_PAGE - 1] if more else -1
    rows = [described(index, row) for row in index.rows(shown[:ROWS_A_PAGE], _COLUMNS)]
    return Page(rows, len(matching), int(last) if more else None, looked_to, _choices(index, masks))


def described(index: Index, row: Record) -> Record:
    """Return a row with what the index says of it: stage, reason, source, category, outcomes, pass rate."""
    place = row["place"]
    told = {name: index.facets[name].values[int(index.facets[name].codes[place])] for name in FACETS}
    outcomes = [str(each) for number, each in enumerate(OUTCOMES) if index.outcomes[place] >> number & 1]
    rate = float(index.rates[place])
    return row | told | {"outcomes": outcomes, "rate": None if np.isnan(rate) else rate}


def _masks(index: Index, asked: Filter) -> dict[str, NDArray[np.bool_]]:
    """Return, of each field that asks for something, the rows that it leaves."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for name in FACETS:
        wanted = getattr(asked, name)
        if wanted:
            facet = index.facets[name]
            masks[name] = facet.codes == (facet.values.index(wanted) if wanted in facet.values else -1)
    if asked.outcome is not None:
        masks["outcome"] = (index.outcomes & (1 << OUTCOMES.index(asked.outcome))) > 0
    if asked.rate_from is not None:
        masks["rate_from"] = index.rates >= np.float32(asked.rate_from / 100)
    if asked.rate_to is not None:
        masks["rate_to"] = index.rates <= np.float32(asked.rate_to / 100)
    return masks


def _all(masks: Mapping[str, NDArray[np.bool_]], n_rows: int, but: str = "") -> NDArray[np.bool_]:
    left = np.ones(n_rows, bool)
    for name, mask in masks.items():
        if name != but:
            left &= mask
    return left


def _choices(index: Index, masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, list[Choice]]:
    """Return the values of each facet among the rows that the other fields leave, the most frequent first."""
    found = {}
    for name in FACETS:
        facet = index.facets[name]
        others = {each for each in masks if each != name}
        codes = facet.codes[_all(masks, index.n_rows, name)] if others else facet.codes
        counts = np.bincount(codes, minlength=len(facet.values))
        order = sorted(np.flatnonzero(counts).tolist(), key=lambda number: (-counts[number], facet.values[number]))
        chosen = [n for n in order if 0 < len(facet.values[n]) <= _MOST_CHARS][:_MOST_CHOICES]
        found[name] = [Choice(facet.values[n], int(counts[n])) for n in chosen]
    left = index.outcomes[_all(masks, index.n_rows, "outcome")]
    counted = [Choice(str(each), int(((left >> number) & 1).sum())) for number, each in enumerate(OUTCOMES)]
    return found | {"outcome": [each for each in counted if each.n_rows]}


def _searched(index: Index, waiting: NDArray[np.int64], text: str) -> tuple[NDArray[np.int64], int]:
    """Return the rows with a text in their prompt, a page and one at most; how many of all were looked at."""
    found, n_looked_at, deadline = [np.empty(0, np.int64)], 0, time.monotonic() + SEARCH_S
    for part, inside in index.by_part(waiting):
        if "prompt" not in part.rows.names:
            n_looked_at += len(inside)
            continue
        most = ROWS_A_PAGE + 1 - sum(map(len, found))
        searched = part.rows.search(inside, "prompt", text, most, deadline)
        found.append(searched.places + part.start)
        n_looked_at += searched.n_looked_at
        if searched.n_looked_at < len(inside):
            break
    return np.concatenate(found), n_looked_at
