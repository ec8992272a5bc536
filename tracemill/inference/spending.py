"""What a run's models have cost so far, teachers and judges, and whether the next request is still within the budget.

Counted is every answer that a server has sent, when it has come: those that are in the ledger by then, and the small
ones that only try a server out. What earlier runs of the same recipe have spent counts too: each process keeps its
figures in a file of its own beside the ledger, ``spent/NAME/…json``, written anew in place at every answer. A kill in
between loses one answer's amount at most, never the answer.

A request is begun where the budget pays for it and for those in flight, each reckoned as the answers so far (before the
first one: as one of max_tokens). So what is spent ends below the budget, unless answers in flight are longer than that.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from tracemill.core import BudgetReachedError, LedgerError, TeacherMisconfiguredError, json_text
from tracemill.inference.usage import Usage, tokens_written
from tracemill.ledger import shared_ledger
from tracemill.ledger.segment import new_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracemill.ledger import Completion
    from tracemill.recipe.sections.money import Purse
    from tracemill.recipe.sections.server import PricedServer

FOLDER: Final = "spent"
_OTHERS_S: Final = 2.0  # how old may be what is known of other processes' spending
_HOUR_S: Final = 3600.0
_TOLERANCE: Final = 1e-9  # of sums of floats

Answer = Literal["go", "wait", "stop"]


@dataclass
class Spent(Usage):
    """What answers have cost.

    Attributes:
        amount: by the recipe's prices, or as the answers say.
    """

    amount: float = 0.0

    def join(self, other: Usage) -> None:
        """Add what others have cost."""
        super().join(other)
        self.amount += other.amount if isinstance(other, Spent) else 0.0


def cost_of(completion: Completion, settings: PricedServer) -> float:
    """Return what an answer has cost; 0 where it is the hours that cost.

    Raises:
        TeacherMisconfiguredError: the recipe says that answers name their cost, and this one does not.
    """
    price = settings.paid
    if price is None or price.per_hour is not None:
        return 0.0
    if not price.reported:
        return price.of(completion.prompt_tokens or 0, tokens_written(completion), completion.cached_tokens or 0)
    if completion.cost is None:
        raise TeacherMisconfiguredError(
            f"the {settings.role} does not say what its answers cost, so that nobody can count it",
            got="an answer without usage.cost",
            expected=f"a number there, by {settings.place}.price: {{reported: true}}",
            remedy=f"give {settings.place}.price as {{input: …, output: …}} of a million tokens; the answer is kept",
        )
    return completion.cost


class Spending:
    """What one purse has paid; use it from any number of threads.

    Args:
        directory: of the purse's files.
        purse: of the recipe.
    """

    def __init__(self, directory: Path, purse: Purse) -> None:
        self.purse = purse
        self._file = _Figures(directory)
        self._lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self._others, self._looked_at = self._file.others(), time.monotonic()

    def account(self, settings: PricedServer) -> Account:
        """Return the account of a teacher."""
        name = settings.account
        with self._lock:
            if name not in self._accounts:
                self._accounts[name] = Account(self, settings, self._lock)
            return self._accounts[name]

    def by_teacher(self) -> dict[str, Spent]:
        """Return what has been spent by all runs, by teacher."""
        with self._lock:
            if time.monotonic() - self._looked_at > _OTHERS_S:
                self._others, self._looked_at = self._file.others(), time.monotonic()
            found = {name: Spent(**asdict(spent)) for name, spent in self._others.items()}
            for name, account in self._accounts.items():
                found.setdefault(name, Spent()).join(account.settled())
            return found

    @property
    def amount(self) -> float:
        """All that has been spent."""
        return sum(spent.amount for spent in self.by_teacher().values())

    def line(self) -> str:
        """Return a line for people: spent, and of how much."""
        of = "" if self.purse.budget is None else f" of {_money(self.purse.budget)}"
        return f"spent {_money(self.amount)}{of} {self.purse.currency}"

    def may_ask(self, account: Account) -> Answer:
        """Tell whether one more request of a teacher is within the budget: wait where that is known soon."""
        with self._lock:
            if self.purse.budget is None:
                return "go"
            by_teacher = self.by_teacher()
            spent = sum(each.amount for each in by_teacher.values())
            if spent >= self.purse.budget:
                return "stop"
            n_in_flight = sum(each.n_in_flight for each in self._accounts.values())
            if n_in_flight == 0 and not by_teacher[account.name].n:
                return "go"  # what one costs is not known yet
            means = {name: each.mean(by_teacher[name]) for name, each in self._accounts.items()}
            reserved = sum(each.n_in_flight * means[name] for name, each in self._accounts.items())
            if spent + reserved + means[account.name] <= self.purse.budget * (1 + _TOLERANCE):
                return "go"
            return "wait" if n_in_flight else "stop"

    def spent_error(self) -> BudgetReachedError:
        """Return the error that ends a run whose budget is spent."""
        return BudgetReachedError(
            "the budget is spent",
            got=f"{_money(self.amount)} {self.purse.currency} by all runs of {self.purse.name} so far",
            expected=f"another request to fit into distill.budget = {_money(self.purse.budget or 0.0)}",
            remedy="raise distill.budget and run again: everything that was answered is kept and not asked again; "
            "or lower distill.limit, samples_per_round or max_rounds",
        )

    def write(self) -> None:
        """Keep this process's figures."""
        with self._lock:
            self._file.write({name: account.settled() for name, account in self._accounts.items()})


class Account:
    """What one model of a purse has cost in this process.

    Attributes:
        name: of the teacher.
        spent: so far.
        n_in_flight: requests under way.
    """

    def __init__(self, spending: Spending, settings: PricedServer, lock: threading.RLock) -> None:
        self.spending, self._settings, self._lock = spending, settings, lock
        self.name = settings.account
        self.spent, self.n_in_flight = Spent(), 0
        self._busy_since = 0.0

    def mean(self, so_far: Spent) -> float:
        """Return what one more answer costs, as far as that is known of those so far, by all processes."""
        if so_far.n:
            return so_far.amount / so_far.n
        price = self._settings.paid
        return 0.0 if price is None else price.of(0, self._settings.answer_tokens)

    def begin(self) -> None:
        """A request is sent."""
        with self._lock:
            self._accrue()
            self.n_in_flight += 1

    def end(self, completion: Completion | None) -> None:
        """A request has ended, with an answer or without.

        Raises:
            TeacherMisconfiguredError: there is a budget, and the answer does not say what it has cost, as it should.
            LedgerError: the figures cannot be written.
        """
        with self._lock:
            self._accrue()
            self.n_in_flight -= 1
            if completion is not None:
                self._pay(completion)
            if completion is not None or self._hourly:
                self.spending.write()

    def _pay(self, completion: Completion) -> None:
        self.spent.add(completion)
        try:
            self.spent.amount += cost_of(completion, self._settings)
        except TeacherMisconfiguredError:
            if self.spending.purse.budget is not None:
                raise

    @property
    def _hourly(self) -> float:
        price = self._settings.price
        return (price.per_hour or 0.0) if price is not None else 0.0

    def _accrue(self) -> None:
        """Add what the hours since the last look have cost."""
        now = time.monotonic()
        if self.n_in_flight:
            self.spent.amount += self._hourly * (now - self._busy_since) / _HOUR_S
        self._busy_since = now

    def settled(self) -> Spent:
        """Return what it has cost up to now."""
        with self._lock:
            self._accrue()
            return self.spent


class _Figures:
    """The file of this process in a purse's folder, and those of others."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None

    def others(self) -> dict[str, Spent]:
        found: dict[str, Spent] = {}
        for name, spent in self._read():
            found.setdefault(name, Spent()).join(spent)
        return found

    def _read(self) -> Iterator[tuple[str, Spent]]:
        known = {each.name for each in fields(Spent)}
        for path in sorted(self._directory.glob("*.json")):
            if path == self._path:
                continue
            try:
                figures = json.loads(path.read_bytes())
                for name, spent in figures.items():
                    yield name, Spent(**{what: value for what, value in spent.items() if what in known})
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise LedgerError(
                    f"what was spent cannot be read: {path}",
                    got=str(error),
                    remedy="restore the file, or delete it: what it counted is then missing from what was spent",
                ) from error

    def write(self, figures: dict[str, Spent]) -> None:
        """Replace the file; whoever reads it finds the old figures or the new ones."""
        try:
            if self._path is None:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._path = self._directory / new_name().replace(".ledger", ".json")
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json_text({name: asdict(spent) for name, spent in figures.items()}))
            temporary.replace(self._path)
        except OSError as error:
            raise LedgerError(
                f"what was spent cannot be recorded in {self._directory}",
                got=str(error),
                remedy="make room or fix permissions, and run again: what was answered is kept",
            ) from error


_shared: dict[tuple[int, Path], Spending] = {}
_shared_lock = threading.Lock()


def shared_spending(purse: Purse, ledger: str | Path) -> Spending:
    """Return what a purse has paid, one object for this process: teachers of one run share a budget.

    Args:
        purse: of the recipe; another budget under the same name takes the place of the one before.
        ledger: where answers are kept; the figures are beside them.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    directory = shared_ledger(ledger).directory / FOLDER / purse.name
    name = (os.getpid(), directory)
    with _shared_lock:
        if name not in _shared:
            _shared[name] = Spending(directory, purse)
        _shared[name].purse = purse
        return _shared[name]


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.2g}"
