"""The languages that programs come in; a further one is one more row."""

from __future__ import annotations

import re
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
        older: commands for older standards, to be tried in turn where a program may be of one.
    """

    name: str
    fences: tuple[str, ...]
    compile: tuple[str, ...] | None
    compile_s: float
    older: tuple[tuple[str, ...], ...] = ()


PRODUCT: Final = "program"
# Programs for contests read from files of their own where this is not defined.
_GCC: Final = ("-O2", "-pipe", "-DONLINE_JUDGE", "-o", PRODUCT)


def _cpp(standard: str) -> tuple[str, ...]:
    return ("/usr/bin/g++", f"-std={standard}", *_GCC, "-x", "c++", "-")


# What a compiler says of names and forms that later standards took or gave away: std::size and std::byte beside
# "using namespace std", gets and random_shuffle, throw(int), register, names that have become keywords.
MAY_BE_OLDER: Final = re.compile(
    r"is ambiguous|does not allow|char8_t|ambiguous overload|use of deleted function"
    r"|\b(?:gets|random_shuffle|bind1st|bind2nd|mem_fun|mem_fun_ref|ptr_fun|unary_function|binary_function|auto_ptr"
    r"|result_of|raw_storage_iterator|concept|requires|constinit|consteval|co_await|co_yield|co_return|noexcept)\b"
)
# Headers of the standard library that are younger than our compiler.
_YOUNG: Final = "print|format|generator|mdspan|flat_map|flat_set|stdfloat|stacktrace|spanstream|expected|inplace_vector"
MISSING_HEADER: Final = re.compile(rf"fatal error: (?:{_YOUNG}): No such file")
# Python 3.12's: type parameters and type statements. (Its f-strings are read, see inside.newer_syntax.)
YOUNG_PYTHON: Final = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+\w+\[|^\s*type\s+\w+.*=", re.MULTILINE)

LANGUAGES: Final = {
    language.name: language
    for language in (
        Language("python", ("python", "python3", "py", "py3"), None, 10),
        # The flags of the image's ready-made bits/stdc++.h.
        Language(
            "cpp", ("cpp", "c++", "cc", "cxx"), _cpp("gnu++20"), 30, tuple(map(_cpp, ("gnu++17", "gnu++14", "gnu++11")))
        ),
        Language("c", ("c",), ("/usr/bin/gcc", "-std=gnu17", *_GCC, "-x", "c", "-", "-lm"), 30),
    )
}
