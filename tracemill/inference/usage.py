"""What the answers behind a dataset took, by teacher: tokens, and what they cost by the recipe's prices.

Unlike what was spent (``spending.py``), this depends on the answers alone: who paid for them, in which run, and what a
kill has made be asked twice, is no part of it. So the card and the report show it, and stay the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.text.tokens import estimated_tokens

if TYPE_CHECKING:
    from tracemill.ledger import Completion
    from tracemill.recipe.sections.money import Price
    from tracemill.recipe.sections.server import Teacher
    from tracemill.store import Manifest

TEACHERS: Final = "teachers"  # the fact of a manifest: of several teachers, how each did
USAGE: Final = "usage"  # the fact of a manifest: of each teacher, what its answers took


@dataclass
class Usage:
    """What answers took.

    Attributes:
        n: answers, follow-ups among them.
        cached_tokens: of the prompts' tokens, those from a cache.
        completion_tokens: estimated where the server does not count.
        reasoning_tokens: of those, of the reasoning; 0 where servers do not say.
        cost: as the answers say.
    """

    n: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0

    def add(self, answer: Completion) -> None:
        """One more answer."""
        self.n += 1
        self.prompt_tokens += answer.prompt_tokens or 0
        self.cached_tokens += answer.cached_tokens or 0
        self.completion_tokens += tokens_written(answer)
        self.reasoning_tokens += answer.reasoning_tokens or 0
        self.cost += answer.cost or 0.0

    def join(self, other: Usage) -> None:
        """Add what others took."""
        for each in fields(Usage):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def facts(self) -> dict[str, Any]:
        """Return the figures for a manifest."""
        return asdict(self)

    def priced(self, price: Price | None) -> float | None:
        """Return what it costs; None where no price is known, or one of hours, which answers do not tell."""
        if price is None or price.per_hour is not None:
            return None
        return self.cost if price.reported else price.of(self.prompt_tokens, self.completion_tokens, self.cached_tokens)


def tokens_written(answer: Completion) -> int:
    """Return the tokens of an answer, estimated where the server does not count."""
    if answer.completion_tokens is not None:
        return answer.completion_tokens
    return estimated_tokens((answer.reasoning or "") + answer.content)


def usage_of(manifests: Iterable[Manifest]) -> dict[str, Usage]:
    """Return what all tasks took, by teacher; those of older versions count what they have noted."""
    found: dict[str, Usage] = {}
    for manifest in manifests:
        for name, figures in manifest.facts.get(USAGE, {}).items():
            found.setdefault(name, Usage()).join(Usage(**figures))
    return found


class Line(NamedTuple):
    """What a page says of one teacher.

    Attributes:
        amount: None where it is not known.
        did: of several: responses, judged, correct, published; empty where there is one.
    """

    teacher: str
    usage: Usage
    amount: float | None
    did: Mapping[str, int]

    def cost(self, currency: str) -> str:
        """Return the amount for people, with as many digits as say something."""
        return amount_told(self.amount, currency)

    @property
    def pass_rate(self) -> float | None:
        """Share of the judged responses that are correct."""
        n_judged = self.did.get("judged", 0)
        return self.did.get("correct", 0) / n_judged if n_judged else None


def amount_told(amount: float | None, currency: str) -> str:
    """Return an amount of money for people; None is one that is not known."""
    if amount is None:
        return "not known"
    return f"{amount:,.2f} {currency}" if amount >= 1 else f"{amount:.2g} {currency}"


def did_of(manifests: Iterable[Manifest]) -> dict[str, dict[str, int]]:
    """Return how each of several teachers did, over all tasks."""
    found: dict[str, Counter[str]] = {}
    for manifest in manifests:
        for name, counts in manifest.facts.get(TEACHERS, {}).items():
            found.setdefault(name, Counter()).update(counts)
    return {name: dict(counts) for name, counts in found.items()}


def lines(usage: Mapping[str, Usage], did: Mapping[str, Mapping[str, int]], teachers: Sequence[Teacher]) -> list[Line]:
    """Return what a page says of several teachers, or of one whose price is known; else nothing."""
    if len(teachers) < 2 and not any(one.price for one in teachers):
        return []
    return [
        Line(one.named, used := usage.get(one.named, Usage()), used.priced(one.paid), did.get(one.named, {}))
        for one in teachers
    ]
