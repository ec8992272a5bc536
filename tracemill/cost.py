"""What a distillation will cost, from what a sample of it did cost: tokens, time, GPU-hours, money.

Everything scales with the mean tokens of a response. Two figures are given where rounds make a difference: the least
(every problem is solved by its first round) and the most (every round is needed by every problem).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tracemill.recipe_cost import Cost


class Outstanding(NamedTuple):
    """Requests that are not in the ledger yet.

    Attributes:
        n_first: of the first round, for problems without a trace of their own.
        n_traced: of the first round, for problems whose own trace may save them.
        n_later: of later rounds, if no problem is solved before.
        n_paid: requests of all rounds that are in the ledger.
    """

    n_first: int
    n_traced: int
    n_later: int
    n_paid: int

    @property
    def least(self) -> int:
        """Requests if every trace passes and every first round solves its problem."""
        return self.n_first

    @property
    def most(self) -> int:
        """Requests if nothing is ever solved."""
        return self.n_first + self.n_traced + self.n_later


class Measured(NamedTuple):
    """What a sample did cost.

    Attributes:
        n_responses: answers in the sample.
        n_cut_off: those that ended at max_tokens.
        prompt_tokens: mean per request, as the server counts.
        completion_tokens: mean per response.
        tokens_per_s: completion tokens a second while the sample was answered; None if nothing had to be asked.
    """

    n_responses: int
    n_cut_off: int
    prompt_tokens: float
    completion_tokens: float
    tokens_per_s: float | None


@dataclass(frozen=True)
class Estimate:
    """The figures that a person decides by."""

    outstanding: Outstanding
    measured: Measured
    settings: Cost

    def tokens(self, n_requests: int) -> int:
        """Completion tokens of so many requests."""
        return round(n_requests * self.measured.completion_tokens)

    def hours(self, n_requests: int) -> float | None:
        """Time for so many requests at the measured speed; None where no speed was measured."""
        if self.measured.tokens_per_s is None:
            return None
        return self.tokens(n_requests) / self.measured.tokens_per_s / 3600

    def lines(self) -> list[tuple[str, str]]:
        """Name and value of every figure, for people."""
        left, seen = self.outstanding, self.measured
        lines = [
            ("requests", _span(left.least, left.most)),
            ("already paid for", f"{left.n_paid:,}"),
            ("tokens a prompt", f"{seen.prompt_tokens:,.0f}"),
            ("tokens a response", f"{seen.completion_tokens:,.0f} ({self._basis()})"),
            ("completion tokens", _span(self.tokens(left.least), self.tokens(left.most))),
        ]
        least, most = self.hours(left.least), self.hours(left.most)
        if seen.tokens_per_s is None or least is None or most is None:
            return [*lines, ("time", "not known: the whole sample had been paid for before")]
        lines += [("tokens/s", f"{seen.tokens_per_s:,.0f}"), ("time", _span(least, most, " h"))]
        gpus, price = self.settings.gpus, self.settings.price_per_gpu_hour
        if gpus is not None:
            lines.append(("GPU-hours", _span(least * gpus, most * gpus)))
            if price is not None:
                lines.append(("price", _span(least * gpus * price, most * gpus * price, f" {self.settings.currency}")))
        return lines

    def markdown(self) -> str:
        """The figures as a table for Prefect's UI."""
        rows = "\n".join(f"| {name} | {value} |" for name, value in self.lines())
        return f"| before generation | |\n|---|---|\n{rows}\n"

    def _basis(self) -> str:
        seen = self.measured
        cut = f", {seen.n_cut_off} of them cut off" if seen.n_cut_off else ""
        return f"mean of {seen.n_responses:,} responses{cut}"


def _span(least: float, most: float, unit: str = "") -> str:
    if least == most:
        return f"{_figure(least)}{unit}"
    return f"{_figure(least)} to {_figure(most)}{unit}"


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
