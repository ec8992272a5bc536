"""Generation in batches: a provider's ``/v1/batches`` (half the price, within a day), or files for ``vllm run-batch``.

``engine`` gathers requests and hands answers out, ``provider`` and ``files`` are the two places where batches are
answered (``place`` says what both can do), ``notes`` is what is kept on disk, so that a kill loses and repeats nothing.
"""
