"""The demo teacher's tokenizer: Qwen2's kind of byte-level BPE, learnt from the demo's own texts, one token a digit.

Any Unicode text can be encoded, because every byte is in the alphabet; as in Qwen2, it is brought to NFC first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config

VOCABULARY_SIZE = 1280
TURN_START, TURN_END, PADDING = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
# Part of the reply's text, so not special: decoding with skip_special_tokens must keep them.
THINK_TAGS = ("<think>", "</think>")
# Qwen2's own, word for word (transformers 5.19, models/qwen2/tokenization_qwen2.py, PRETOKENIZE_REGEX): for every model
# of type qwen2, transformers 5 and so vLLM put this in the place of what tokenizer.json says.
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], max_length: int) -> PreTrainedTokenizerFast:
    """Learns the vocabulary from `texts`; `max_length` is the model's context, in tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(THINK_TAGS),
        special_tokens=[PADDING, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in THINK_TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=PADDING,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


class TokenizerMismatchError(RuntimeError):
    """transformers reads the saved tokenizer as another than the one that was learnt."""


def check_reload_as_qwen2(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> None:
    """Save the tokenizer and reads it back the way vLLM will: through AutoTokenizer, for a model of type qwen2.

    Raises TokenizerMismatchError with the first text whose ids differ, or that does not decode to itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        Qwen2Config().save_pretrained(folder)
        save_tokenizer(tokenizer, Path(folder))
        reloaded = AutoTokenizer.from_pretrained(folder)
    for text in texts:
        wanted, got = tokenizer(text)["input_ids"], reloaded(text)["input_ids"]
        if got != wanted or reloaded.decode(got) != text:
            raise TokenizerMismatchError(
                f"The reloaded {type(reloaded).__name__} gives {reloaded.convert_ids_to_tokens(got)}, the learnt one "
                f"{tokenizer.convert_ids_to_tokens(wanted)}, for {text!r}. Has transformers another PRETOKENIZE_REGEX "
                "for qwen2 than WORD_PATTERN?"
            )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json; the class goes in under Qwen2's name, which old and new know."""
    tokenizer.save_pretrained(out, save_jinja_files=False)
    settings_file = out / "tokenizer_config.json"
    settings = json.loads(settings_file.read_text())
    kept = {key: value for key, value in settings.items() if key not in ("is_local", "local_files_only", "backend")}
    settings_file.write_text(json.dumps({**kept, "tokenizer_class": "Qwen2Tokenizer"}, indent=1) + "\n")
