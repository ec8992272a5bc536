"""The processes in which verifiers run, and are killed when they take too long."""
