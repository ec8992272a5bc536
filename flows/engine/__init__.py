"""How a run is executed: blocks of shards, steps, task runners, progress, artifacts."""
