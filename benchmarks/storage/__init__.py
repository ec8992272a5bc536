"""The ledger, a run's directory, and the comparison of two runs."""
