"""Loops over arrays as machine code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")


def compiled(function: Function) -> Function:
    """Machine code, made at the first call and cached beside the module; it runs without the interpreter's lock."""
    machine_code: Function = njit(nogil=True, cache=True)(function)
    return machine_code
