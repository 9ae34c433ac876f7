"""Temporarily wrap a function of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patch:
    """From `install` to `uninstall` a wrapper stands in the place of a function.

    owners: the modules or classes that hold the function, all under `name`. wrapper: makes the wrapper from the
    function, as the first owner holds it.
    """

    def __init__(self, owners: tuple[Any, ...], name: str, wrapper: Callable[[Any], Any]) -> None:
        self._owners, self._name, self._wrapper = owners, name, wrapper
        self._original: Any = None
        self._installed: Any = None

    @property
    def is_installed(self) -> bool:
        """Whether the wrapper is there, or at least calls us still."""
        return self._installed is not None

    def install(self) -> None:
        """Put the wrapper there. Does nothing if it is there already."""
        if self._installed is not None:
            return
        self._original = vars(self._owners[0])[self._name]
        self._installed = self._wrapper(self._original)
        for owner in self._owners:
            setattr(owner, self._name, self._installed)

    def uninstall(self) -> None:
        """Put the function back. Where somebody has wrapped ours since, it stays, and is to pass calls on."""
        for owner in self._owners:
            if self._installed is not None and vars(owner).get(self._name) is self._installed:
                setattr(owner, self._name, self._original)
        self._original = self._installed = None
