r"""Multiple choice: a reference that is a letter is a choice where the prompt has options of such letters."""

from __future__ import annotations

import re
from typing import Final

from tracemill.boxes import unboxed

# "B", "(B)", "B.", "\text{B}", "\boxed{B}": a reference that names an option, if the prompt has options.
_LETTER: Final = re.compile(r"(?:\\text(?:bf)?\{)?\(?([A-E])\)?\.?\}?")
_OPTION: Final = re.compile(r"(?:^|[\s({*$])([A-E])[.):：．、]", re.MULTILINE)


def is_choice(prompt: object, reference: object) -> bool:
    """Whether the reference names one of the prompt's options by its letter."""
    letter = _letter(reference)
    return letter is not None and {"A", "B", letter} <= set(_OPTION.findall(prompt if isinstance(prompt, str) else ""))


def is_letter(reference: object) -> bool:
    """Whether the reference is nothing but a letter such as options have."""
    return _letter(reference) is not None


def _letter(reference: object) -> str | None:
    found = _LETTER.fullmatch(unboxed(reference).strip()) if isinstance(reference, str) else None
    return found.group(1) if found else None
