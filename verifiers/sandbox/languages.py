"""The languages that programs come in; a further one is one more row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """How a language's programs are built and run.

    Attributes:
        fences: names that a fenced block may bear, lower case; the first is for prompts.
        compile: the compiler's command, reading standard input and writing ``program``; None for Python, which the warm
            interpreter compiles itself.
        compile_s: CPU seconds that the compiler may take.
    """

    name: str
    fences: tuple[str, ...]
    compile: tuple[str, ...] | None
    compile_s: float


PRODUCT: Final = "program"
_GCC: Final = ("-O2", "-pipe", "-o", PRODUCT)

LANGUAGES: Final = {
    language.name: language
    for language in (
        Language("python", ("python", "python3", "py", "py3"), None, 10),
        # The flags of the image's ready-made bits/stdc++.h.
        Language("cpp", ("cpp", "c++", "cc", "cxx"), ("/usr/bin/g++", "-std=gnu++20", *_GCC, "-x", "c++", "-"), 30),
        Language("c", ("c",), ("/usr/bin/gcc", "-std=gnu17", *_GCC, "-x", "c", "-", "-lm"), 30),
    )
}
