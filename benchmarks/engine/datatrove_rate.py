"""datatrove's Gopher repetition filter and MinHash signatures over the traces of a file of ``reuse_path``.

``PYTHON benchmarks/engine/datatrove_rate.py ROWS.jsonl.zst N_ROWS`` prints rows a processor second, in the interpreter
of an environment that has datatrove and zstandard: it needs nothing of this project.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

import zstandard


def rate(file: Path, n_rows: int) -> float:
    """Return rows a processor second, by as many rows of the file."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.filters import GopherRepetitionFilter

    with file.open("rb") as stream, zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as rows:
        lines = list(itertools.islice(io.BufferedReader(rows), n_rows))
    texts = [json.loads(line)["messages"][1]["content"] for line in lines]
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        filtering, signing = GopherRepetitionFilter(), MinhashDedupSignature(output_folder=folder)
        filtering.filter(documents[0])  # loads its tokenizer
        begun = time.process_time()
        for document in documents:
            filtering.filter(document)
        signing.run(iter(documents), 0, 1)
        return len(documents) / (time.process_time() - begun)


if __name__ == "__main__":
    print(rate(Path(sys.argv[1]), int(sys.argv[2])))
