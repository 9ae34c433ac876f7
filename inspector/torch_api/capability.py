"""A thing that torch can do beyond its documented interface, and what is lost where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

Parts = TypeVar("Parts")


class Capability(Generic[Parts]):
    """One part of torch's undocumented interface.

    name: what it is, as `inspect doctor` and remarks call it. lost: what an inspection loses without it, a clause.
    find: returns the functions and classes that the capability consists of. It asks torch itself, never for a
        version number, and raises whatever it raises where one is missing.

    torch is asked once, when somebody first wants to know. One that is missing, or that fails in use, stays off
    for the rest of the process.
    """

    def __init__(self, name: str, lost: str, find: Callable[[], Parts]) -> None:
        self.name = name
        self.lost = lost
        self.find = find
        self._parts: Parts | None = None
        self._reason: str | None = None
        self._is_missed = False

    @property
    def parts(self) -> Parts | None:
        """The functions and classes, for somebody who needs them; None where this torch lacks one of them."""
        if self._parts is None:
            self._is_missed = not self.is_here
        return self._parts

    @property
    def is_here(self) -> bool:
        """Whether this torch has it, and it has not failed."""
        if self._parts is None and self._reason is None:
            try:
                self._parts = self.find()
            except Exception as error:
                self._reason = _described(error)
        return self._parts is not None

    @property
    def remark(self) -> str | None:
        """What is lost and why; None while nothing is: the capability is there, or nobody has needed it."""
        if not self._is_missed:
            return None
        return f"{self.lost}: torch {torch.__version__} gives no access to its {self.name} ({self._reason})"

    def turn_off(self, error: Exception) -> None:
        """Use it no more: it has failed with `error`."""
        self._parts, self._is_missed = None, True
        self._reason = self._reason or _described(error)

    def miss(self) -> None:
        """Something is lost because it is not there."""
        self._is_missed = True


def _described(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
