"""Refusals: requests without an answer from a server that answers others. What is kept of them, how many a run bears.

A server says no (a prompt longer than its context), or fails at one request again and again. That was not paid for and
is no result: the task is done *provisionally*, the run goes on without these answers, and the next one asks for them
again, and for nothing else. Above the share that the recipe allows a run fails, since then it is the server.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tracemill.core import TeacherMisconfiguredError
from tracemill.inference.protocol import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracemill.recipe.sections.server import ModelServer
    from tracemill.store import Manifest

REFUSED: Final = "refused"  # the fact of a manifest, by server: how many, of what share, in whose words
ASKED: Final = "asked"  # the fact of a manifest: requests by server, those that were answered before among them
REFUSALS: Final = "refusals"  # the table of a task
REFUSED_BY_TEACHER: Final = "refused_by_teacher"  # the reason of a drop
TEACHER: Final = "distill.teacher"
A_FEW: Final = 3  # requests of a run, where its share is less than that
TOLD: Final = 3  # kinds of words that a manifest and an error name
SCHEMA: Final = pa.schema(
    [("key", pa.string()), ("server", pa.string()), ("status", pa.int32()), ("message", pa.large_string())]
)


def named(server: ModelServer) -> str:
    """Return a server as it stands in facts: where in the recipe, and which model; there may be several labellers."""
    return f"{server.place} ({server.model})"


def allowed(n_requests: int, share: float) -> int:
    """Requests of a run that may be refused: the share, or a few where that is less; none where it is 0.

    The few are at most half, so that a server that refuses everything is seen to, however small the run.
    """
    return max(int(share * n_requests + 1e-9), min(A_FEW, n_requests // 2)) if share > 0 else 0


def refused_facts(server: ModelServer, refusals: Iterable[Refusal]) -> dict[str, Any]:
    """Return what a manifest says of one server's refusals."""
    words = Counter(refusal.message for refusal in refusals)
    return {"n": words.total(), "share": server.refused_share, "words": dict(words.most_common(TOLD))}


def refusals_table(refused: Mapping[str, Iterable[Refusal]]) -> pa.Table:
    """Return the refusals of a task by server, each once."""
    rows = {
        (server, refusal.key): {
            "key": refusal.key,
            "server": server,
            "status": refusal.status,
            "message": refusal.message,
        }
        for server, refusals in refused.items()
        for refusal in refusals
    }
    return pa.Table.from_pylist(list(rows.values()), schema=SCHEMA)


def refusals_in(table: pa.Table) -> dict[str, Refusal]:
    """Return what :func:`refusals_table` has written, by key of the request."""
    return {row["key"]: Refusal(row["key"], row["status"], row["message"]) for row in table.to_pylist()}


def as_before(answer: Refusal, before: Mapping[str, Refusal]) -> Refusal:
    """Return a refusal as it was told the last time, if it is the same one.

    Servers put numbers of requests and times into their words: with those, every run would publish another dataset.
    """
    known = before.get(answer.key)
    return known if known is not None and known.status == answer.status else answer


def was_cached(manifest: Manifest) -> bool:
    """Whether this is a finished manifest with refusals, as older code has written them: they were kept for good."""
    return manifest.dropped.get(f"distill/{REFUSED_BY_TEACHER}", 0) > 0


@dataclass
class Tally:
    """Requests and refusals over many tasks, by server.

    Attributes:
        asked: requests.
        refused: of those, refused.
        shares: that may be.
        words: of the refusals.
    """

    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    shares: dict[str, float] = field(default_factory=dict)
    words: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, manifest: Manifest) -> None:
        """One more task; one of the teacher by older code did not say whom it asked."""
        unnamed = {TEACHER: manifest.rows_in} if manifest.stage == "distill" else {}
        self.asked.update(manifest.facts.get(ASKED, unnamed))
        for server, found in manifest.facts.get(REFUSED, {}).items():
            self.refused[server] += found["n"]
            self.shares[server] = found["share"]
            self.words.setdefault(server, Counter()).update(found["words"])

    def n_asked(self, server: str) -> int:
        """Requests that a server was asked."""
        return self.asked[server] + (self.asked[TEACHER] if server.startswith(f"{TEACHER} ") else 0)

    def sentences(self) -> list[str]:
        """Return a sentence for each server that has refused something, with its words."""
        return [
            f"{server}: {n:,} of {self.n_asked(server):,} requests refused, such as: {self._words(server)}"
            for server, n in self.refused.items()
        ]

    def require_few(self) -> None:
        """Refuse to go on where a server has refused more than its share.

        Raises:
            TeacherMisconfiguredError: naming its words.
        """
        for server, n in self.refused.items():
            n_asked, place = self.n_asked(server), server.partition(" ")[0]
            most = allowed(n_asked, self.shares[server])
            if n > most:
                raise TeacherMisconfiguredError(
                    f"{server} refused {n:,} of {n_asked:,} requests",
                    got=self._words(server),
                    expected=f"at most {most:,}, by {place}.refused_share = {self.shares[server]:g}",
                    remedy="fix the server, or what the recipe asks of it, and run again: what was answered is kept,"
                    f" and only what was refused is asked again; or raise {place}.refused_share to do without",
                )

    def _words(self, server: str) -> str:
        return "; ".join(f"{words} ({n:,} times)" for words, n in self.words[server].most_common(TOLD))
