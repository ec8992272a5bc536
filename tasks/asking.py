"""Asking the models that judge: through the ledger, like the teacher."""

from __future__ import annotations

from collections.abc import Sequence

from tracemill.errors import TeacherUnavailableError
from tracemill.ledger import Completion
from tracemill.recipe_server import ModelServer
from tracemill.teacher import Refusal, Request, shared_teacher
from tracemill.teacher_dialect import Dialect


def ask(
    requests: Sequence[Request], server: ModelServer, ledger: str, dialect: Dialect | None = None
) -> list[Completion | Refusal]:
    """What came of each request; only a server's own no is a refusal, as to a text longer than its context.

    Raises:
        TeacherUnavailableError: no server answers, or one failed at the same request again and again: a failure of the
            infrastructure says nothing about an answer, so the shard is tried again. What was answered is kept.
    """
    if not requests:
        return []
    return heard(shared_teacher(server, ledger, dialect).complete(requests), server)


def heard(answers: list[Completion | Refusal], server: ModelServer) -> list[Completion | Refusal]:
    """The answers, if the server has answered or refused every request; see :func:`ask`."""
    for answer in answers:
        if isinstance(answer, Refusal) and not answer.is_for_good:
            raise TeacherUnavailableError(
                f"the {server.role} fails at a request that it should be able to answer",
                got=answer.message,
                expected="an answer, or a refusal (HTTP 4xx)",
                remedy=f"see the server's log; {server.place}.request_timeout_s may be too short; then run again",
            )
    return answers
