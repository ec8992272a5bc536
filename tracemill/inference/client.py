"""The teacher: answers requests from the ledger first, and from OpenAI-compatible servers what is not in it.

Covered: every response is in the ledger before anybody hears of it; one key is asked once, however many threads want
it; servers that are busy, slow, broken or away are waited for, and the others used meanwhile; requests that cannot be
answered come back as data. Not covered: two *processes* that want the same key at the same time both ask for it.

How it is put together: ``complete`` (any thread) -> ``request_table.RequestTable`` (who waits for what) ->
``engine.Engine`` (workers on one event loop, or ``batches.engine.BatchEngine``) -> ``transport.HttpTransport``;
``servers.HealthMonitor`` looks after the servers, ``chat_reply`` reads what they say.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from tracemill.inference.batches.engine import FOLDER, BatchEngine
from tracemill.inference.batches.notes import require_none_under_way
from tracemill.inference.dialects import ChatDialect, Dialect
from tracemill.inference.engine import Engine
from tracemill.inference.protocol import Progress, Record, Refusal, Request, Teacher
from tracemill.inference.request_table import RequestTable
from tracemill.inference.servers import Patience
from tracemill.inference.spending import shared_spending
from tracemill.ledger import Completion, Ledger, shared_ledger
from tracemill.recipe.sections.server import PricedServer
from tracemill.recipe.sections.server import Teacher as TeacherSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from tracemill.inference.spending import Account
    from tracemill.recipe.sections.money import Purse
    from tracemill.recipe.sections.server import ModelServer

__all__ = [
    "Completion",
    "ModelClient",
    "Patience",
    "Progress",
    "Refusal",
    "Request",
    "Teacher",
    "shared_client",
]


# Shard tasks count, parse and guess languages in Python while the event loop sends and reads. Each of its system calls
# lets the interpreter lock go, and getting it back takes one switch interval for every thread that computes: at
# Python's 5 ms a request costs tens of milliseconds, and the servers can run dry
# (benchmarks.teacher.client_saturation).
_SWITCH_INTERVAL_S = 0.0001


class ModelClient:
    """A teacher behind one or more servers of the OpenAI chat protocol; use it from any number of threads.

    Args:
        settings: the servers: section ``distill.teacher`` of the recipe, or that of a judge.
        ledger: where responses are recorded, and looked up: a ``Ledger``, unless somebody else keeps them.
        patience: how attempts are spaced.
        extra_body: further fields of every request's body; for benchmarks only, since it is in no key.
        dialect: how its servers are spoken to, instead of ``settings`` by the chat protocol.
        account: where what it costs is counted, and whose budget bounds it.
    """

    def __init__(
        self,
        settings: ModelServer,
        ledger: Record,
        *,
        patience: Patience | None = None,
        extra_body: Mapping[str, Any] | None = None,
        dialect: Dialect | None = None,
        account: Account | None = None,
    ) -> None:
        self._ledger, self._pid = ledger, os.getpid()
        self._table = RequestTable(ledger)
        dialect = dialect or ChatDialect(settings, extra_body or {})
        self._engine: Engine | BatchEngine = Engine(dialect, ledger, self._table, patience or Patience(), account)
        self._batches = ledger.directory / FOLDER if isinstance(ledger, Ledger) else None
        if isinstance(settings, TeacherSettings) and settings.mode == "batch" and self._batches is not None:
            patience = patience or Patience()
            self._engine = BatchEngine(dialect, settings, ledger, self._table, patience, self._batches, account)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tracemill-teacher", daemon=True)
        self._start, self._checking = threading.Lock(), threading.Lock()

    def check(self) -> None:
        """Make sure that the servers serve the model; a good result is remembered for the process.

        Raises:
            ServerUnavailableError: nothing answers.
            TeacherMisconfiguredError: something answers, but does not serve the model as the recipe needs it.
        """
        self._check()

    def complete(self, requests: Sequence[Request]) -> list[Completion | Refusal]:
        """Return what came of each request, in their order; blocks until all are had.

        Only what is not in the ledger is asked; if nothing is missing, no server is needed.

        Raises:
            ServerUnavailableError: no server answers, or none has for give_up_after_s.
            TeacherMisconfiguredError: a server does not serve the model, or refuses every request.
            LedgerError: the ledger cannot be read or written.
            BudgetReachedError: the budget pays for no further request; those in flight were waited for, and are kept.

        Whatever is raised, also KeyboardInterrupt: responses that came in are in the ledger, and what only this call
        waited for is cancelled.
        """
        wanted = {request.key: request for request in requests}
        self._ledger.refresh()
        found: dict[str, Completion | Refusal] = dict(self._ledger.get_many(wanted))
        self._table.count(n_asked=len(found), n_done=len(found), n_from_ledger=len(found))
        missing = [request for key, request in wanted.items() if key not in found]
        if missing:
            self._check(missing[0])
            found.update(self._ask(missing))
        return [found[request.key] for request in requests]

    def progress(self) -> Progress:
        """Return how far it is, over all threads; may be called from any of them."""
        away_since = self._engine.away_since()
        return self._table.progress(None if away_since is None else time.time() - (time.monotonic() - away_since))

    def close(self) -> None:
        """Stop all work and flushes the ledger; the teacher cannot be used again."""
        if self._pid != os.getpid():
            return  # a forked child: thread, loop and connections are the parent's
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._engine.close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()
        self._ledger.close()

    def _check(self, request: Request | None = None) -> None:
        self._running()
        with self._checking:
            asyncio.run_coroutine_threadsafe(self._engine.check(request), self._loop).result()

    def _ask(self, missing: Sequence[Request]) -> dict[str, Completion | Refusal]:
        self._ledger.require_room()
        if self._batches is not None and isinstance(self._engine, Engine):
            require_none_under_way(self._batches, (request.key for request in missing))
        self._table.count(n_asked=len(missing))
        batch, fresh = self._table.take(missing)
        try:
            self._loop.call_soon_threadsafe(self._engine.enqueue, fresh)
            results = batch.wait()
        finally:
            orphans = self._table.withdraw(batch)
            with contextlib.suppress(RuntimeError):  # the loop is closed meanwhile: nothing is left to cancel
                self._loop.call_soon_threadsafe(self._engine.cancel, orphans)
        self._ledger.sync()
        return results

    def _running(self) -> None:
        with self._start:
            if self._thread.ident is None:
                sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL_S))
                self._thread.start()


_shared: dict[tuple[int, Dialect, Path, str | None], ModelClient] = {}
_shared_lock = threading.Lock()


def shared_client(
    settings: ModelServer, ledger_dir: str | Path, dialect: Dialect | None = None, purse: Purse | None = None
) -> ModelClient:
    """Return the one teacher of this process for these settings and this ledger: its threads share max_in_flight.

    Args:
        settings: the servers.
        ledger_dir: where answers are kept.
        dialect: how the servers are spoken to, if not by the chat protocol.
        purse: who pays, where the settings say what answers cost.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    ledger = shared_ledger(ledger_dir)
    dialect = dialect or ChatDialect(settings)
    account = None
    if purse is not None and isinstance(settings, PricedServer) and settings.price is not None:
        account = shared_spending(purse, ledger_dir).account(settings)
    # The process is part of the name: threads do not survive a fork, so a child needs a teacher of its own.
    name = (os.getpid(), dialect, ledger.directory, purse.name if purse and account else None)
    with _shared_lock:
        if name not in _shared:
            _shared[name] = ModelClient(settings, ledger, dialect=dialect, account=account)
            atexit.register(_shared[name].close)
        return _shared[name]


def tokens_received() -> int:
    """Completion tokens that this process's shared teachers have received so far, those from the ledger not counted."""
    with _shared_lock:
        teachers = list(_shared.values())
    return sum(teacher.progress().completion_tokens for teacher in teachers)
