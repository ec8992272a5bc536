"""An environment of PrimeIntellect's ``verifiers`` (0.4, ``verifiers.v1``) whose rewards are tracemill's verdicts."""

from tracemill_verdicts.taskset import VerdictTaskset

__all__ = ["VerdictTaskset"]
