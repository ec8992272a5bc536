"""Turn many question sets into one verified, decontaminated dataset of reasoning traces. Read on: docs/architecture.md."""
