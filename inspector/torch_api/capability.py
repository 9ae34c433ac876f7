"""A part of torch's undocumented interface, and what an inspection loses if this torch lacks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

Parts = TypeVar("Parts")


class Capability(Generic[Parts]):
    """One part of torch's undocumented interface.

    name: a noun phrase for `inspect doctor` and remarks. lost: what an inspection loses without it, a clause.
    find: returns the functions and classes of the capability, and raises any exception if one is missing. It
        looks for them in torch itself and never compares version numbers.

    `find` is called once, on first use. A capability that is missing, or that fails in use, stays off for the
    rest of the process.

    parts: the functions and classes; None if this torch lacks one of them. Reading this counts as needing them.
    """

    parts: Parts | None

    def __init__(self, name: str, lost: str, find: Callable[[], Parts]) -> None:
        self.name = name
        self.lost = lost
        self.find = find
        self._reason: str | None = None
        self._is_missed = False

    def __getattr__(self, name: str) -> Any:
        if name != "parts":
            raise AttributeError(name)
        if not self.is_available:  # else it has set them; from then on they are an attribute, which is read a lot
            self.parts, self._is_missed = None, True
        return self.parts

    @property
    def is_available(self) -> bool:
        """Whether this torch has the capability and it has not failed."""
        known = self.__dict__  # asked for every Node
        if "parts" not in known and self._reason is None:
            try:
                self.parts = self.find()
            except Exception as error:
                self._reason = _described(error)
        return known.get("parts") is not None

    @property
    def remark(self) -> str | None:
        """What is lost and why; None if the capability is there or was never needed."""
        if not self._is_missed:
            return None
        return f"{self.lost}: no access to the {self.name} of torch {torch.__version__} ({self._reason})"

    def turn_off(self, error: Exception) -> None:
        """Turn the capability off after it failed with `error`."""
        self.parts, self._is_missed = None, True
        self._reason = self._reason or _described(error)

    def miss(self) -> None:
        """Note that something was lost because the capability is missing."""
        self._is_missed = True


def _described(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
