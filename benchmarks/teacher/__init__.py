"""The client that asks a model's server: throughput beside the server's own, and the order of requests."""
