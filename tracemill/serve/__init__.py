"""The models of a recipe, served on this machine by vLLM: what to start where, and keeping it up."""

from __future__ import annotations

from tracemill.serve.plan import Placement, PlannedServer, plan_servers, urls_by_place
from tracemill.serve.supervisor import Supervisor

__all__ = ["Placement", "PlannedServer", "Supervisor", "plan_servers", "urls_by_place"]
