"""Builds that are killed, and what they come to: their results, what was paid twice, the server's use."""
