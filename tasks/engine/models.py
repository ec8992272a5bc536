"""Asking models from within a task, through the ledger; what is refused is recorded, and the next run asks again."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tasks.engine.work import Produced, Work
from tracemill.core import ServerUnavailableError
from tracemill.inference import Dialect, Refusal, Request, shared_client
from tracemill.inference.refusals import (
    ASKED,
    REFUSALS,
    REFUSED,
    as_before,
    named,
    refusals_in,
    refusals_table,
    refused_facts,
)
from tracemill.inference.usage import USAGE, Usage
from tracemill.ledger import Completion, shared_ledger
from tracemill.recipe.sections.money import Purse
from tracemill.recipe.sections.server import ModelServer, Teacher


class Asking:
    """What one task asks, and who was refused.

    Args:
        work: of the task; it knows what was refused when the task was last done.
        ledger: where answers are.
        purse: who pays a teacher whose price is known.
    """

    def __init__(self, work: Work, ledger: str = "", purse: Purse | None = None) -> None:
        table = work.before.get(REFUSALS)
        self._before = refusals_in(work.store.read_table(table)) if table is not None else {}
        self._ledger, self._purse = ledger, purse
        self._asked: Counter[str] = Counter()
        self._refused: dict[str, list[Refusal]] = {}
        self._facts: dict[str, dict[str, object]] = {}
        self._usage: dict[str, Usage] = {}

    def ask(
        self, requests: Sequence[Request], server: ModelServer, dialect: Dialect | None = None
    ) -> list[Completion | Refusal]:
        """Return what came of each request.

        Raises:
            ServerUnavailableError: no server answers: a failure of the infrastructure says nothing about an answer, so
                the shard is tried again. What was answered is kept.
        """
        try:
            found = ask(requests, server, self._ledger, dialect, self._purse)
        except ServerUnavailableError:
            # Nobody is needed for what was refused the last time: it stays so, until somebody is there to be asked.
            given = shared_ledger(self._ledger).get_many(request.key for request in requests)
            known: dict[str, Completion | Refusal] = {**self._before, **given}
            if any(request.key not in known for request in requests):
                raise
            found = [known[request.key] for request in requests]
        refused = [answer for answer in found if isinstance(answer, Refusal)]
        self.note(server, len(requests), refused)
        self._count(server, found)
        return [as_before(answer, self._before) if isinstance(answer, Refusal) else answer for answer in found]

    def note(self, server: ModelServer, n_requests: int, refused: Sequence[Refusal]) -> None:
        """Take down how many requests a server was asked, and which it has refused."""
        name = named(server)
        self._asked[name] += n_requests
        if refused:
            told = self._refused.setdefault(name, [])
            told += [as_before(answer, self._before) for answer in refused]
            self._facts[name] = refused_facts(server, told)

    def _count(self, server: ModelServer, found: Sequence[Completion | Refusal]) -> None:
        """Take down the tokens of what was answered, for the report; whoever paid for it."""
        if isinstance(server, Teacher):
            usage = self._usage.setdefault(server.named, Usage())
            for answer in found:
                if isinstance(answer, Completion):
                    usage.add(answer)

    def with_refusals(self, produced: Produced) -> Produced:
        """Return a task's outcome with what was refused: then it is provisional, and the next run does it again."""
        used = {name: usage.facts() for name, usage in self._usage.items()}
        facts = produced.facts | {ASKED: dict(self._asked)} | ({USAGE: used} if used else {})
        if not self._refused:
            return dataclasses.replace(produced, facts=facts)
        return dataclasses.replace(
            produced,
            outputs={**produced.outputs, REFUSALS: refusals_table(self._refused)},
            facts=facts | {REFUSED: self._facts},
            provisional=True,
        )


def ask(
    requests: Sequence[Request],
    server: ModelServer,
    ledger: str,
    dialect: Dialect | None = None,
    purse: Purse | None = None,
) -> list[Completion | Refusal]:
    """Return what came of each request, for work of which nothing is recorded.

    Raises:
        ServerUnavailableError: no server answers. What was answered is kept.
    """
    return shared_client(server, ledger, dialect, purse).complete(requests) if requests else []
