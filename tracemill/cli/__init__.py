"""The commands of ``python -m tracemill``."""
