"""Instructions that sources glue to their prompts. They are taken off before anything is compared.

With them on, the same problem from two sources has two ids and shares fewer n-grams with a benchmark: a public check
found a MATH-500 problem in OpenThoughts that differed from it in nothing but the prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tracemill.schema import Category


class Stripped(NamedTuple):
    """A prompt without its boilerplate, and the category that the boilerplate gave away."""

    prompt: str
    category: Category | None


# Sky-T1's, and so Bespoke's and OpenThoughts' (their generate_prompt); the code ones are glued on without a space.
_GENERATE: Final = "Generate an executable Python function generated from the given prompt. "
PREFIXES: Final[Mapping[str, Category]] = {
    r"Return your final response within \boxed{}.": Category.MATH,
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
