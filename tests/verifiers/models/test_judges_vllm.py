"""Models that judge or label, on real vLLM servers. Random weights test the protocol, not judgement."""

from __future__ import annotations

import json
import math
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import ROOT
from tests.support.runs.samples import problem, response
from tests.support.warm.start import vllm_python
from tracemill.core import TeacherMisconfiguredError
from tracemill.decontaminate.judge import same_question_request, word_of
from tracemill.inference import Dialect, ModelClient, Refusal, Request
from tracemill.label import labels_request
from tracemill.label.labels import reading
from tracemill.ledger import Completion, Ledger
from tracemill.quality.perplexity import LogprobDialect, perplexity_fault, perplexity_of, perplexity_request
from tracemill.recipe.sections.decontaminate import SameQuestion
from tracemill.recipe.sections.judges import Judge, Reward, Rubric
from tracemill.recipe.sections.label import MODEL_LABELS, Labeller
from tracemill.recipe.sections.quality import Perplexity
from tracemill.recipe.sections.server import ModelServer
from verifiers.models.judge import WORDS, equivalence_request
from verifiers.models.reward import RewardScorer
from verifiers.models.rubric import RubricScorer

pytestmark = pytest.mark.needs_vllm

# Heads of 32: the least that vLLM's CPU attention takes. The tokenizer is the demo teacher's.
MAKE_MODELS = """
import shutil, sys
from pathlib import Path
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2ForSequenceClassification

tokenizer, out = Path(sys.argv[1]), Path(sys.argv[2])
for name, kind, more in (("chat", Qwen2ForCausalLM, {}), ("scores", Qwen2ForSequenceClassification, {"num_labels": 5})):
    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=1280, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True, eos_token_id=2, pad_token_id=0,
        bos_token_id=None, **more,
    )
    kind(config).to(torch.float32).save_pretrained(out / name)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, out / name)
"""

PROBLEMS = [problem(f"What is {n} + 1?", str(n + 1)) for n in range(12)]
RESPONSES = [response(p, p.id, answer=f"It is {n}. Or {n + 1}?") for n, p in enumerate(PROBLEMS)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a tiny chat model and a tiny classifier of five labels."""
    folder = tmp_path_factory.mktemp("models")
    command = [vllm_python(), "-c", MAKE_MODELS, ROOT / "demo" / "teacher" / "model", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def served(model_dir: Path, *more: str) -> Iterator[str]:
    from demo.teacher.serve import serving

    log = model_dir / "server.log"
    with serving(vllm_python(), model_dir=model_dir, name="m", max_model_len=4096, log=log, more=more) as server:
        yield server.base_url


@pytest.fixture(scope="module")
def chat(models: Path) -> Iterator[str]:
    yield from served(models / "chat")


@pytest.fixture(scope="module")
def scores(models: Path) -> Iterator[str]:
    yield from served(models / "scores", "--runner", "pooling")


def answers(
    requests: list[Request], settings: ModelServer, folder: Path, dialect: Dialect | None = None
) -> list[Completion | Refusal]:
    """What came of requests, by way of a ledger in ``folder``."""
    teacher = ModelClient(settings, Ledger(folder), dialect=dialect)
    try:
        return teacher.complete(requests)
    finally:
        teacher.close()


def contents(found: list[Completion | Refusal]) -> list[str]:
    assert all(isinstance(answer, Completion) for answer in found), found
    return [answer.content for answer in found if isinstance(answer, Completion)]


def test_a_judge_is_held_to_its_two_words(chat: str, tmp_path: Path) -> None:
    """A model of noise says one of the two words and stops; without the constraint it says noise."""
    settings = Judge(model="m", base_urls=(chat,))
    requests = [equivalence_request(p, r, settings) for p, r in zip(PROBLEMS, RESPONSES, strict=True)]
    found = answers(requests, settings, tmp_path)
    assert set(contents(found)) <= set(WORDS)
    assert {answer.finish_reason for answer in found if isinstance(answer, Completion)} == {"stop"}
    free = Request("f" * 64, requests[0].messages, {"temperature": 0, "max_tokens": 16})
    assert contents(answers([free], settings, tmp_path))[0].strip() not in WORDS
    nowhere = settings.model_copy(update={"base_urls": ("http://127.0.0.1:9/v1",)})
    assert answers(requests, nowhere, tmp_path) == found, "the ledger has it all"


def test_a_judge_of_contamination_is_held_to_its_two_words(chat: str, tmp_path: Path) -> None:
    """A model of noise says same or different of a grey pair, and the ledger has it."""
    settings = SameQuestion(model="m", base_urls=(chat,))
    requests = [same_question_request(p.prompt, f"Add one to {n}.", settings) for n, p in enumerate(PROBLEMS)]
    found = answers(requests, settings, tmp_path)
    assert {word_of(answer) for answer in found} <= {"same", "different"}
    nowhere = settings.model_copy(update={"base_urls": ("http://127.0.0.1:9/v1",)})
    assert answers(requests, nowhere, tmp_path) == found


def test_a_rubric_is_held_to_its_marks(chat: str, tmp_path: Path) -> None:
    """A model of noise gives three marks from 0 to 4, and nothing else."""
    scorer = RubricScorer(Rubric(model="m", base_urls=(chat,), threshold=0.7))
    requests = [scorer.request(p, r) for p, r in zip(PROBLEMS, RESPONSES, strict=True)]
    marks = [scorer.marks(content) for content in contents(answers(requests, scorer.server, tmp_path))]
    assert all(found is not None and 0 <= found.score <= 1 for found in marks)


def test_a_labeller_is_held_to_its_labels(chat: str, tmp_path: Path) -> None:
    """A model of noise gives every label a value that there is, and the ledger keeps it."""
    for names in (MODEL_LABELS, ("quality",)):
        settings = Labeller(model="m", base_urls=(chat,), labels=names)
        requests = [labels_request(asked, settings) for asked in PROBLEMS]
        found = answers(requests, settings, tmp_path)
        readings = [reading(answer, settings.labels) for answer in found]
        assert [why for _, why in readings] == [None] * len(PROBLEMS)
        assert {answer.finish_reason for answer in found if isinstance(answer, Completion)} == {"stop"}
        nowhere = settings.model_copy(update={"base_urls": ("http://127.0.0.1:9/v1",)})
        assert answers(requests, nowhere, tmp_path) == found, "the ledger has it all"


def reward(base_url: str, **more: Any) -> RewardScorer:
    return RewardScorer(Reward(model="m", base_urls=(base_url,), profile="decision-tree-reward", threshold=0.7, **more))


def test_scores_are_raw_outputs_by_either_endpoint(scores: str, tmp_path: Path) -> None:
    """/classify and /pooling give the same five raw numbers, which are no probabilities."""
    found = {}
    for endpoint in ("classify", "pooling"):
        scorer = reward(scores, endpoint=endpoint)
        requests = [scorer.request(p, r) for p, r in zip(PROBLEMS, RESPONSES, strict=True)]
        texts = contents(answers(requests, scorer.server, tmp_path, scorer.dialect))
        found[endpoint] = [number for text in texts for number in json.loads(text)]
        marks = scorer.marks(texts[0])
        assert marks is not None
        assert marks.score == pytest.approx(sum(found[endpoint][:3]) / 12)
    assert found["classify"] == pytest.approx(found["pooling"], abs=1e-4)
    assert len(found["classify"]) == 5 * len(PROBLEMS)
    assert min(found["classify"]) < 0 or sum(found["classify"][:5]) != pytest.approx(1, abs=0.01)


def test_text_is_scored_too(scores: str, tmp_path: Path) -> None:
    """A model without a chat template is shown one text."""
    scorer = reward(scores, input="text")
    found = answers([scorer.request(PROBLEMS[0], RESPONSES[0])], scorer.server, tmp_path, scorer.dialect)
    assert len(json.loads(contents(found)[0])) == 5


def test_a_text_beyond_the_context_is_refused(scores: str, tmp_path: Path) -> None:
    """What does not fit the model is refused for good, not cut off behind our back."""
    scorer = reward(scores)
    long = response(PROBLEMS[0], "long", answer="word " * 20_000)
    refused = answers([scorer.request(PROBLEMS[0], long)], scorer.server, tmp_path, scorer.dialect)[0]
    assert isinstance(refused, Refusal)
    assert refused.status == 400
    assert "maximum context length" in refused.message


def test_outputs_that_the_recipe_does_not_name_end_the_run(scores: str, tmp_path: Path) -> None:
    """A recipe with one attribute for a model of five is refused with the setting to mend."""
    settings = Reward(model="m", base_urls=(scores,), threshold=0, attributes=[{"name": "quality", "weight": 1}])
    scorer = RewardScorer(settings)
    with pytest.raises(TeacherMisconfiguredError, match=r"(?s)reward\.attributes.*runner pooling"):
        answers([scorer.request(PROBLEMS[0], RESPONSES[0])], settings, tmp_path, scorer.dialect)


def prompt_logprobs(base_url: str, text: str) -> list[float]:
    """Straight from the server: the log probability of each token of a text but the first."""
    body = {"model": "m", "prompt": text, "prompt_logprobs": 5, "max_tokens": 1, "temperature": 0, "logprobs": 0}
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{base_url}/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        choice = json.load(reply)["choices"][0]
    tokens = choice["prompt_token_ids"] if choice.get("prompt_token_ids") else None
    entries = choice["prompt_logprobs"]
    if tokens is None:
        with urllib.request.urlopen(  # noqa: S310
            urllib.request.Request(  # noqa: S310
                f"{base_url.removesuffix('/v1')}/tokenize",
                json.dumps({"model": "m", "prompt": text}).encode(),
                {"Content-Type": "application/json"},
            ),
            timeout=60,
        ) as reply:
            tokens = json.load(reply)["tokens"]
    assert entries[0] is None
    return [entry[str(token)]["logprob"] for token, entry in zip(tokens[1:], entries[1:], strict=True)]


def test_perplexity_is_that_of_the_servers_own_numbers(chat: str, tmp_path: Path) -> None:
    """It is e to the mean negative log probability of the tokens but the first, asked for by token; paid for once."""
    settings = Perplexity(model="m", base_urls=(chat,))
    dialect = LogprobDialect(settings)
    asked = [perplexity_request(p, r, settings) for p, r in zip(PROBLEMS, RESPONSES, strict=True)]
    found = answers(asked, settings, tmp_path, dialect)
    for request, answer in zip(asked[:4], found, strict=False):
        expected = prompt_logprobs(chat, request.messages[0]["content"])
        perplexity = perplexity_of(answer)
        assert perplexity == pytest.approx(math.exp(-sum(expected) / len(expected)), rel=1e-5)
        assert isinstance(answer, Completion)
        assert json.loads(answer.content)["n_tokens"] == len(expected) == answer.prompt_tokens - 1  # type: ignore[operator]
    assert answers(asked, Perplexity(model="m", base_urls=("http://127.0.0.1:9/v1",)), tmp_path, dialect) == found


def test_a_text_beyond_the_context_has_no_perplexity(chat: str, tmp_path: Path) -> None:
    """It is refused for good, and dropped in the server's words."""
    settings = Perplexity(model="m", base_urls=(chat,))
    long = response(PROBLEMS[0], "long", answer="word " * 20_000)
    refused = answers([perplexity_request(PROBLEMS[0], long, settings)], settings, tmp_path, LogprobDialect(settings))
    fault = perplexity_fault(refused[0], settings)
    assert fault is not None
    assert fault.reason == "no_perplexity"
    assert "maximum context length" in fault.evidence["message"]
