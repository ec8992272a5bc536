"""What a distillation will cost, from what a sample of it did cost: tokens, time, GPU-hours, money.

Everything scales with the mean tokens of a response. Two figures are given where rounds make a difference: the least
(every problem is solved by its first round) and the most (every round is needed by every problem). The models that
judge and filter responses are asked about a share of them, as measured on the sample's: at least about those of the
first round, at most about every response of the run, also those that had been paid for before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tracemill.recipe.sections.distill import Asked, Cost
    from tracemill.recipe.sections.money import Price


TEACHER: Final = "teacher"


class Outstanding(NamedTuple):
    """Requests that are not in the ledger yet.

    Attributes:
        n_first: of the first round, for problems without a trace of their own.
        n_traced: of the first round, for problems whose own trace may save them.
        n_later: of later rounds, if no problem is solved before.
        n_paid: requests of all rounds that are in the ledger.
        n_traces: traces that came along and are judged like responses.
    """

    n_first: int
    n_traced: int
    n_later: int
    n_paid: int
    n_traces: int = 0

    @property
    def n_responses(self) -> int:
        """Responses of the run if nothing is ever solved, those that are paid for included."""
        return self.most + self.n_paid + self.n_traces

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
        reported_cost: mean of what the answers say that they have cost; None where one does not say.
    """

    n_responses: int
    n_cut_off: int
    prompt_tokens: float
    completion_tokens: float
    tokens_per_s: float | None
    reported_cost: float | None = None


class ModelMeasured(NamedTuple):
    """What one of the models that judge and filter did cost on the sample's responses.

    Attributes:
        place: its section of the recipe.
        model: its name.
        n_responses: responses in the sample.
        n_requests: requests about them.
        tokens: mean per request, read and written together; estimated from the texts where the server was not there.
        requests_per_s: None if nothing had to be asked, or no server was there.
    """

    place: Asked
    model: str
    n_responses: int
    n_requests: int
    tokens: float
    requests_per_s: float | None


class Spent(NamedTuple):
    """What one model takes: (least, most) of each; None where it is not known."""

    who: str
    requests: tuple[int, int]
    tokens: tuple[int, int]
    hours: tuple[float, float] | None
    gpu_hours: tuple[float, float] | None


class Other(NamedTuple):
    """One of several teachers that is asked for what the first one leaves: requests not had yet, and their price."""

    name: str
    n_left: int
    price: Price | None


@dataclass(frozen=True)
class Estimate:
    """The figures that a person decides by.

    Attributes:
        models: those that are asked about responses.
        n_labels: requests about problems that were answered before this estimate, by model.
        price: of the teacher, where the recipe names it.
        currency: of that price; the settings' unless given.
        others: of several teachers, those that are asked after the first one. The sample is not shown to them, since it
            may be solved by then; their answers are reckoned as long as the first one's.
    """

    outstanding: Outstanding
    measured: Measured
    settings: Cost
    models: tuple[ModelMeasured, ...] = ()
    n_labels: tuple[tuple[str, int], ...] = ()
    price: Price | None = None
    currency: str | None = None
    others: tuple[Other, ...] = ()

    def tokens(self, n_requests: int) -> int:
        """Completion tokens of so many requests to the teacher."""
        return round(n_requests * self.measured.completion_tokens)

    def hours(self, n_requests: int) -> float | None:
        """Time of the teacher for so many requests at the measured speed; None where no speed was measured."""
        if self.measured.tokens_per_s is None:
            return None
        return self.tokens(n_requests) / self.measured.tokens_per_s / 3600

    def spent(self) -> list[Spent]:
        """Return the teacher, then the models."""
        left = self.outstanding
        gpus = self.settings.gpus or (self.price.gpus if self.price else None)
        least, most = self.hours(left.least), self.hours(left.most)
        hours = None if least is None or most is None else (least, most)
        tokens = self.tokens(left.least), self.tokens(left.most)
        teacher = Spent(TEACHER, (left.least, left.most), tokens, hours, _times(hours, gpus))
        return [teacher, *(self._model(model) for model in self.models)]

    def _model(self, seen: ModelMeasured) -> Spent:
        share = seen.n_requests / seen.n_responses if seen.n_responses else 0.0
        requests = round(share * self.outstanding.least), round(share * self.outstanding.n_responses)
        hours = None
        if seen.requests_per_s is not None:
            hours = requests[0] / seen.requests_per_s / 3600, requests[1] / seen.requests_per_s / 3600
        gpu_hours = _times(hours, self.settings.model_gpus.get(seen.place))
        tokens = round(requests[0] * seen.tokens), round(requests[1] * seen.tokens)
        return Spent(f"{seen.place} ({seen.model})", requests, tokens, hours, gpu_hours)

    def lines(self) -> list[tuple[str, str]]:
        """Return the name and value of every figure, for people."""
        left, seen = self.outstanding, self.measured
        teacher, *models = self.spent()
        lines = [
            ("requests", _span(*teacher.requests)),
            ("already paid for", f"{left.n_paid:,}"),
            ("tokens a prompt", f"{seen.prompt_tokens:,.0f}"),
            ("tokens a response", f"{seen.completion_tokens:,.0f} ({self._basis()})"),
            ("completion tokens", _span(*teacher.tokens)),
        ]
        if teacher.hours is None:
            lines.append(("time", "not known: the whole sample had been paid for before"))
        else:
            lines += [("tokens/s", f"{seen.tokens_per_s:,.0f}"), ("time", _duration(teacher.hours))]
            lines += self._money(teacher, "GPU-hours", "price")
        lines += [("price of tokens", price)] if (price := self._price_of_tokens()) else []
        lines += [(f"then {other.name}", self._told(other)) for other in self.others]
        for model in models:
            lines += self._model_lines(model)
        lines += [(f"{who}, before this", f"{n:,} requests, paid for") for who, n in self.n_labels]
        return lines

    def _told(self, other: Other) -> str:
        seen = self.measured
        parts = [f"0 to {other.n_left:,} requests"]
        if other.price is not None and other.price.by_tokens:
            most = other.n_left * other.price.of(seen.prompt_tokens, seen.completion_tokens)
            parts.append(f"at most {_figure(most)}{self._unit}, were its answers as long as these")
        return "; ".join(parts)

    def _model_lines(self, model: Spent) -> list[tuple[str, str]]:
        time = "not known" if model.hours is None else _duration(model.hours)
        money = self._money(model, "GPU-hours", "price")
        told = [f"{_span(*model.requests)} requests", f"{_span(*model.tokens)} tokens", f"time {time}"]
        return [(model.who, "; ".join([*told, *(f"{name} {value}" for name, value in money)]))]

    def _money(self, spent: Spent, hours: str, price: str) -> list[tuple[str, str]]:
        """GPU-hours and their price, where they are known."""
        if spent.gpu_hours is None:
            return []
        rate, (least, most) = self.settings.price_per_gpu_hour, spent.gpu_hours
        if rate is None and spent.who == TEACHER and self.price is not None:
            rate = self.price.gpu_hour
        priced = [(price, _span(least * rate, most * rate, self._unit))] if rate is not None else []
        return [(hours, _span(least, most)), *priced]

    @property
    def _unit(self) -> str:
        return f" {self.currency or self.settings.currency}"

    def _price_of_tokens(self) -> str:
        """Return what the teacher's tokens cost, by the sample's means; "" where tokens are not what is paid for."""
        price, seen, left = self.price, self.measured, self.outstanding
        if price is None or not (price.by_tokens or price.reported):
            return ""
        if price.reported:
            each = seen.reported_cost
            return "" if each is None else _span(left.least * each, left.most * each, self._unit)
        each = price.of(seen.prompt_tokens, seen.completion_tokens)
        return _span(left.least * each, left.most * each, self._unit)

    def markdown(self) -> str:
        """The figures for Prefect's UI: one table of what each model takes, one of what that was reckoned from."""
        rows = [
            f"| {each.who} | {_span(*each.requests)} | {_span(*each.tokens)} "
            f"| {'not known' if each.hours is None else _duration(each.hours)} "
            f"| {' | '.join([*(value for _, value in self._money(each, '', '')), '', ''][:2])} |"
            for each in self.spent()
        ]
        shown = [line for line in self.lines() if line[0] not in {each.who for each in self.spent()}]
        basis = "\n".join(f"| {name} | {value} |" for name, value in shown)
        header = "| asked | requests | tokens | time | GPU-hours | price |\n|---|---|---|---|---|---|\n"
        return f"{header}{chr(10).join(rows)}\n\n| before generation | |\n|---|---|\n{basis}\n"

    def _basis(self) -> str:
        seen = self.measured
        cut = f", {seen.n_cut_off} of them cut off" if seen.n_cut_off else ""
        return f"mean of {seen.n_responses:,} responses{cut}"


def _times(hours: tuple[float, float] | None, gpus: int | None) -> tuple[float, float] | None:
    return None if hours is None or gpus is None else (hours[0] * gpus, hours[1] * gpus)


def _duration(hours: tuple[float, float]) -> str:
    """In seconds where hours say little."""
    if hours[1] < 0.1:
        return _span(round(3600 * hours[0]), round(3600 * hours[1]), " s")
    return _span(*hours, " h")


def _span(least: float, most: float, unit: str = "") -> str:
    if least == most:
        return f"{_figure(least)}{unit}"
    return f"{_figure(least)} to {_figure(most)}{unit}"


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
