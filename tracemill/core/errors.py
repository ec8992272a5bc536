"""The failure vocabulary: every error tracemill raises on purpose, named by the boundary that was crossed.

::

    TracemillError
    ├── RecipeError              the recipe is wrong; nothing has run
    ├── SourceError              a source cannot be read
    │   └── UnknownLayoutError   its columns are not those of its layout
    ├── StoreError               the store cannot be read or written
    │   ├── CorruptShardError    a file is missing or is not what its manifest says
    │   └── ConservationError    a stage lost rows: a bug in tracemill
    ├── LedgerError              what has been paid for cannot be read or recorded
    ├── TeacherError             of the teacher, or of a model that judges
    │   ├── ServerUnavailableError    nothing answers, or not in time: try again later
    │   ├── TeacherMisconfiguredError  it answers, but not as the recipe needs it
    │   │   └── TeacherUnpaidError     the account has no credit left: no waiting fixes that
    │   └── BudgetReachedError         the recipe's budget is spent: a larger one goes on
    ├── StageCrashedError       a stage raised what nobody had foreseen: a bug
    ├── ModelServerError         a model's server that we start does not come up, or does not stay up
    ├── ServerError              Prefect's server does not answer, or takes no deployment
    ├── RunnerError              the cluster that should run the tasks is away or unfit, or lost one
    ├── TrainerError             a student could not be trained
    ├── CostNotApprovedError     nobody agreed to what generation would cost; nothing more was paid for
    └── VerifierError            no verdict can be given, and not because of the answer
        └── UnknownKindError     a category, test kind or constraint that no verifier knows

A bad row is data, not an error: it is dropped with a reason. A wrong answer is a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedTaskRun:
    """The run of a task that an error was raised in; what nobody knows is left empty.

    Attributes:
        shard: its label.
        row: that was at hand.
        notes: lines that the error had gathered on its way.
        alone: the command that runs this task alone.
        next_step: what will be tried again, and when.
    """

    shard: str = ""
    row: str = ""
    notes: tuple[str, ...] = ()
    alone: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        """Return one line a fact, as they stand below an error."""
        before = [("shard", self.shard), ("row at hand", self.row)]
        after = [("alone", self.alone), ("next", self.next_step)]
        return "\n  ".join([*_named(before), *self.notes, *_named(after)])


class TracemillError(Exception):
    """Says what went wrong, what was got, what was expected and how to fix it.

    Its fields are what pages and tables are made of; its text is for people, and is never read back.

    Args:
        what: one clause naming the thing that failed.
        got: the offending value or state, as text.
        expected: what would have been right.
        remedy: what the reader can do now.
        task: the run that it was raised in: its shard and row, how to run it alone, whether it is tried again.
    """

    def __init__(
        self, what: str, *, got: str = "", expected: str = "", remedy: str = "", task: FailedTaskRun | None = None
    ) -> None:
        self.what, self.got, self.expected, self.remedy, self.task = what, got, expected, remedy, task
        self.cause = "\n  ".join([what, *_named([("got", got), ("expected", expected), ("remedy", remedy)])])
        super().__init__(self.cause if task is None else f"{self.cause}\n  {task}")

    def in_task(self, task: FailedTaskRun) -> TracemillError:
        """Return the same error, which now says what task it was raised in; ``cause`` is its text without that."""
        return _rebuild(type(self), self.what, self.got, self.expected, self.remedy, task)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the fields and notes across process boundaries (exceptions pickle by position otherwise)."""
        notes = getattr(self, "__notes__", None)
        fields = (type(self), self.what, self.got, self.expected, self.remedy, self.task)
        return _rebuild, fields, {"__notes__": notes} if notes else None


def _named(facts: list[tuple[str, str]]) -> list[str]:
    return [f"{name}: {fact}" for name, fact in facts if fact]


def _rebuild(
    kind: type[TracemillError], what: str, got: str, expected: str, remedy: str, task: FailedTaskRun | None
) -> TracemillError:
    return kind(what, got=got, expected=expected, remedy=remedy, task=task)


class RecipeError(TracemillError):
    """The recipe is wrong: an unknown key, a wrong type, an impossible value."""


class SourceError(TracemillError):
    """A source cannot be read: missing file, unknown format, unreachable Hub id."""


class UnknownLayoutError(SourceError):
    """A source's columns are not those its layout names; the message lists both."""


class StoreError(TracemillError):
    """The store cannot be read or written: no permission, no space, not there."""


class CorruptShardError(StoreError):
    """A file that a manifest names is missing or has other bytes than recorded."""


class ConservationError(StoreError):
    """``rows_in != rows_kept + sum(dropped)``: a stage lost or invented rows."""


class LedgerError(TracemillError):
    """The ledger cannot be read or appended to."""


class TeacherError(TracemillError):
    """The teacher, or a model that judges, could not do what was asked."""


class ServerUnavailableError(TeacherError):
    """No server answers, or not before the deadline; what was answered before is in the ledger."""


class TeacherMisconfiguredError(TeacherError):
    """A server answers but does not serve the model, or refuses the protocol."""


class TeacherUnpaidError(TeacherMisconfiguredError):
    """A provider answers nothing more until it is paid, or until a limit of the account is raised."""


class BudgetReachedError(TeacherError):
    """The recipe's budget does not pay for another request; what was answered is in the ledger."""


class StageCrashedError(TracemillError):
    """A stage raised an error that is none of these: a bug in tracemill, which a row has brought out."""


class ModelServerError(TracemillError):
    """A server of a model, which ``tracemill serve`` starts, does not come up or ends again and again."""


class ServerError(TracemillError):
    """Prefect's server does not answer, or does not take what it is given."""


class RunnerError(TracemillError):
    """The cluster that shard tasks should run on is not there, cannot do them, or lost one; says nothing of a row."""


class TrainerError(TracemillError):
    """A student could not be trained; says how its program ended, and what it said last."""


class CostNotApprovedError(TracemillError):
    """The recipe wants a person to agree to the cost of generation, and none has."""


class VerifierError(TracemillError):
    """A verifier cannot work at all; never used for a wrong answer."""


class UnknownKindError(VerifierError):
    """A category, test kind or constraint id that no verifier knows."""
