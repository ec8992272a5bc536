"""Embeddings from a real vLLM server of a model with random weights, which knows no meaning."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.needs import ROOT
from tests.support.warm.start import vllm_python
from tracemill.embeddings.embeddings import unit
from tracemill.embeddings.server import ServedEmbedder
from tracemill.recipe.sections.deduplicate import Embedding

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_vllm

# Heads of 32: the least that vLLM's CPU attention takes. The tokenizer is the demo teacher's.
MAKE_MODEL = """
import shutil, sys
from pathlib import Path
import torch
from transformers import Qwen2Config, Qwen2Model

tokenizer, out = Path(sys.argv[1]), Path(sys.argv[2])
torch.manual_seed(7)
config = Qwen2Config(
    vocab_size=1280, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=4096, eos_token_id=2, pad_token_id=0, bos_token_id=None,
)
Qwen2Model(config).to(torch.float32).save_pretrained(out)
for file in ("tokenizer.json", "tokenizer_config.json"):
    shutil.copy(tokenizer / file, out / file)
"""

TEXTS = [f"What is {n} + {n * n}?" for n in range(50)]
LONG = "word " * 2000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a tiny random model of 64 dimensions, as ``--runner pooling`` serves it."""
    from demo.teacher.serve import serving

    folder = tmp_path_factory.mktemp("embedder")
    command = [vllm_python(), "-c", MAKE_MODEL, ROOT / "demo" / "teacher" / "model", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    more = ("--runner", "pooling")
    with serving(vllm_python(), model_dir=folder, name="m", max_model_len=512, log=folder / "log", more=more) as server:
        yield server.base_url


def test_vectors_do_not_depend_on_their_batch(url: str) -> None:
    """Every text has one vector of the model's size, whatever it is sent with; a text that is too long has none."""
    found = {}
    for size in (1, 16):
        embedder = ServedEmbedder(Embedding(model="m", engine="server", base_urls=(url,), batch_rows=size))
        try:
            found[size] = unit(embedder.embed([*TEXTS[:20], LONG, *TEXTS[20:]]))
        finally:
            embedder.close()
    assert found[1].shape == (51, 64)
    assert np.flatnonzero(~found[16].any(axis=1)).tolist() == [20]
    assert found[16] == pytest.approx(found[1], abs=1e-3)
    assert len(np.unique(found[1].round(3), axis=0)) == 51
