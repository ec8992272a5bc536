"""Instructions that sources glue to their prompts. They are taken off before anything is compared.

With them on, the same problem from two sources has two ids and shares fewer n-grams with a benchmark: a public check
found a MATH-500 problem in OpenThoughts that differed from it in nothing but the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from tracemill.schema import Category


class Stripped(NamedTuple):
    """A prompt without its boilerplate, and the category that the boilerplate gave away."""

    prompt: str
    category: Category | None


_BOXES: Final = ("boxed", "box", "fbox")  # as copies of these sets write it

# Sky-T1's, and so Bespoke's and OpenThoughts' (their generate_prompt); the code ones are glued on without a space.
_GENERATE: Final = "Generate an executable Python function generated from the given prompt. "
PREFIXES: Final[Mapping[str, Category]] = {
    **{rf"Return your final response within \{box}{{}}.": Category.MATH for box in _BOXES},
    _GENERATE + "The function should take stdin as input and print the output. "
    "Simply call the function after the definition.": Category.CODE,
    _GENERATE + "Return the function body without invoking it at the final solution.": Category.CODE,
}


def without_prefix(prompt: str) -> Stripped:
    """The prompt without Sky-T1's prefix, if it has one. White space around the prefix goes with it."""
    text = prompt.lstrip()
    for prefix, category in PREFIXES.items():
        if text.startswith(prefix):
            return Stripped(text.removeprefix(prefix).lstrip(), category)
    return Stripped(prompt, None)


# Eurus-2-RL-Data's, which name the form of the answer; the code one ends in an example of a fence.
_SUFFIXES: Final = (
    re.compile(r"\s*Present the answer in LaTe?[xX] format: \\(?:boxed|box|fbox)\s*\{Your answer\}\.?\s*\Z"),
    re.compile(
        r"\s*Write Python code to solve the problem\. Present the code in\s*"
        r"```python\s.{0,40}?```\s*at the end\.?\s*\Z",
        re.DOTALL,
    ),
)


def without_suffix(prompt: str) -> str:
    """The prompt without Eurus' sentence on the form of its answer, if it has one."""
    for suffix in _SUFFIXES:
        prompt = suffix.sub("", prompt)
    return prompt
