"""What the teacher is asked: prompts, order, responses that were cut off, and the estimate of cost."""

from __future__ import annotations

from tracemill.generate.cost import Estimate
from tracemill.generate.order import asking_order
from tracemill.generate.prompts import build_request, chat_messages
from tracemill.generate.truncation import Completer

__all__ = [
    "Completer",
    "Estimate",
    "asking_order",
    "build_request",
    "chat_messages",
]
