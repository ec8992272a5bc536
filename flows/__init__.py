"""The DAG, readable top to bottom."""
