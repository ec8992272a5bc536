"""What a publication says of itself in its manifest, and an earlier one, for the report that compares the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.inference.usage import Usage
from tracemill.publish.funnel import FUNNEL
from tracemill.publish.manifest import n_published
from tracemill.publish.tally import PublishedTally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.publish.summary import BuildSummary

_TALLIED: Final = {"asked", "published", "problems", "pass_rates", "lengths_published", "lengths_other"}


@dataclass(frozen=True)
class Earlier:
    """A publication that another one is compared with.

    Attributes:
        name: for people, such as "version 3".
        run: how ``tracemill diff`` is told of it.
        n_rows: published.
        funnel: table of :class:`tracemill.publish.funnel.Funnel`.
        tally: categories, pass rates and lengths; None where an older release has published it, which told none.
        usage: what its answers took, by teacher; empty likewise.
        amounts: what they cost, by teacher, as far as it was known.
        currency: of the amounts.
    """

    name: str
    run: str
    n_rows: int
    funnel: pa.Table
    tally: PublishedTally | None = None
    usage: Mapping[str, Usage] = field(default_factory=dict)
    amounts: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""


def figures_of(summary: BuildSummary) -> dict[str, Any]:
    """Return the facts that a manifest says for later publications."""
    amounts = {line.teacher: line.amount for line in summary.costs if line.amount is not None}
    usage = {name: used.facts() for name, used in sorted(summary.usage.items())}
    told: dict[str, Any] = {"tally": summary.tally.model_dump(include=_TALLIED)}
    told |= {"usage": usage} if usage else {}
    return told | ({"amounts": amounts, "currency": summary.recipe.distill.money} if amounts else {})


def earlier_of(manifest: Mapping[str, Any], name: str, run: str) -> Earlier | None:
    """Read a publication's manifest back; None where it is none of a dataset, or says what no release has written.

    Args:
        manifest: of the publication.
        name: for people.
        run: how ``tracemill diff`` is told of it.
    """
    try:
        return Earlier(
            name=name,
            run=run,
            n_rows=n_published(manifest),
            funnel=pa.Table.from_pylist(manifest["funnel"], schema=FUNNEL),
            tally=PublishedTally.model_validate(manifest["tally"]) if "tally" in manifest else None,
            usage={teacher: Usage(**used) for teacher, used in manifest.get("usage", {}).items()},
            amounts={teacher: float(amount) for teacher, amount in manifest.get("amounts", {}).items()},
            currency=str(manifest.get("currency", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
