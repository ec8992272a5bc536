"""Loops over arrays as machine code."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")


def compiled(function: Function) -> Function:
    """Machine code, made at the first call and cached beside the module; it runs without the interpreter's lock."""
    return cast("Function", _Compiled(function))


class _Compiled:
    """A function that becomes machine code when it is called: numba takes 0.3 s to import, and few commands need it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    @functools.cached_property
    def _machine_code(self) -> Any:
        from numba import njit

        return njit(nogil=True, cache=True)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks an object for that another compiled function calls."""
        return self._machine_code._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        return self._machine_code(*arguments)
