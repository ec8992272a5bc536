"""Prefect tasks, one stage a file: read shards, call the core, write shards."""
