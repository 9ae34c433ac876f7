"""Temporarily wrap a function of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patch:
    """Replaces a function with a wrapper from `install` to `uninstall`.

    owners: the modules or classes that hold the function as `name`. wrapper: makes the wrapper from the original
    function of the first owner.
    """

    def __init__(self, owners: tuple[Any, ...], name: str, wrapper: Callable[[Any], Any]) -> None:
        self._owners, self._name, self._wrapper = owners, name, wrapper
        self._original: Any = None
        self._installed: Any = None

    @property
    def is_installed(self) -> bool:
        """Whether the wrapper is in place, or is still called by other wrappers."""
        return self._installed is not None

    def install(self) -> None:
        """Install the wrapper. Does nothing if it is installed."""
        if self._installed is not None:
            return
        self._original = vars(self._owners[0])[self._name]
        self._installed = self._wrapper(self._original)
        for owner in self._owners:
            setattr(owner, self._name, self._installed)

    def uninstall(self) -> None:
        """Restore the function. If other code has wrapped the wrapper, it stays and must only pass calls on."""
        for owner in self._owners:
            if self._installed is not None and vars(owner).get(self._name) is self._installed:
                setattr(owner, self._name, self._original)
        self._original = self._installed = None
