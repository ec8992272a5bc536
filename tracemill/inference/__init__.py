"""The client of model servers: teachers, judges, guards and embedders."""

from __future__ import annotations

from tracemill.inference.client import ModelClient, shared_client, tokens_received
from tracemill.inference.dialects import ChatDialect, Dialect, PoolingDialect
from tracemill.inference.protocol import Progress, Record, Refusal, Request, Teacher

__all__ = [
    "ChatDialect",
    "Dialect",
    "ModelClient",
    "PoolingDialect",
    "Progress",
    "Record",
    "Refusal",
    "Request",
    "Teacher",
    "shared_client",
    "tokens_received",
]
