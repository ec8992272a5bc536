"""Chat templates that trainers render rows by: small ones like those of three families, and TRL's own where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.support.needs import ROOT

# The content as it stands (Qwen2.5); reasoning in a field or before </think> (Qwen3); channels (gpt-oss).
SMALL: Final = {
    "qwen2_5": (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    ),
    "qwen3": (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% set content, reasoning = message.content, '' %}"
        "{% if message.reasoning_content is string %}{% set reasoning = message.reasoning_content %}"
        "{% elif message.role == 'assistant' and '</think>' in content %}"
        "{% set reasoning = content.split('</think>')[0].split('<think>')[-1] %}"
        "{% set content = content.split('</think>')[-1] %}{% endif %}"
        "{% if reasoning %}<think>\n{{ reasoning.strip('\n') }}\n</think>\n\n{% endif %}"
        "{{ content.lstrip('\n') }}<|im_end|>\n{% endfor %}"
    ),
    "gptoss": (
        "{% for message in messages %}"
        "{% if message.role == 'assistant' and message.thinking %}"
        "<|start|>assistant<|channel|>analysis<|message|>{{ message.thinking }}<|end|>"
        "<|start|>assistant<|channel|>final<|message|>{{ message.content }}<|return|>"
        "{% else %}<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>{% endif %}{% endfor %}"
    ),
}


def real_templates() -> dict[str, str]:
    """TRL's, by name; empty where its environment was not made (make trainer)."""
    found = sorted(ROOT.glob(".venv-train/lib/python3*/site-packages/trl/chat_templates/*.jinja"))
    return {path.stem: path.read_text(encoding="utf-8") for path in found}


def rendered(template: str, messages: list[dict[str, Any]]) -> str:
    """As transformers renders one."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def refuse(message: str) -> None:
        raise AssertionError(message)

    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda _form: "2026-01-01"}
    return environment.from_string(template).render(messages=messages, add_generation_prompt=False)


def template_named(name: str, where: Path | None = None) -> str:
    """A real template, or the small one of its name."""
    if where is not None:
        return (where / f"{name}.jinja").read_text(encoding="utf-8")
    return real_templates().get(name, SMALL[name])
