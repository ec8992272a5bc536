"""Scores by a reward model: the weighted sum of its outputs, for the answer part alone, as in P1.

Pure functions: what is asked and what the numbers mean. See ``teacher_dialect.PoolingDialect`` for the protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracemill.inference import PoolingDialect, Request
from tracemill.inference.dialects import outputs_in
from tracemill.ledger import request_key
from tracemill.text.untrusted import defused
from verifiers.models.scores import Marks

if TYPE_CHECKING:
    from tracemill.core import Problem, Response
    from tracemill.recipe.sections.judges import Reward


class RewardScorer:
    """A reward model of section ``reward``."""

    version: Final = "reward@1"

    def __init__(self, settings: Reward) -> None:
        self.server = settings
        self.dialect = PoolingDialect(
            settings, settings.endpoint, len(settings.weights()), as_text=settings.input == "text"
        )

    def request(self, problem: Problem, response: Response) -> Request:
        """Return the conversation with the answer part as its last turn."""
        answered = {"role": "assistant", "content": response.answer}
        turns = [*problem.history, {"role": "user", "content": problem.prompt}, answered]
        messages = [{"role": turn["role"], "content": defused(turn["content"])} for turn in turns]
        asked = self.server
        template = f"reward/{asked.endpoint}/{asked.input}"
        sampling = dict(self.dialect.sampling)
        return Request(request_key(messages, asked.model, asked.revision, template, sampling, 0), messages, sampling)

    def marks(self, content: str) -> Marks | None:
        """Return the model's outputs by name, and their weighted sum; None for outputs of a model that has others."""
        weights = self.server.weights()
        numbers = outputs_in(content, len(weights))
        if numbers is None:
            return None
        attributes = dict(zip(weights, numbers, strict=True))
        return Marks(sum(weight * attributes[name] for name, weight in weights.items()), attributes)
