"""Turn many question sets into one verified, decontaminated dataset of reasoning traces: docs/architecture.md."""
