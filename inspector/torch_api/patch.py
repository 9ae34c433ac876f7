"""Temporarily wrap a function of torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Patch:
    """Replaces a function with a wrapper from `install` to `uninstall`.

    owners: the modules or classes that hold the function as `name`. wrapper: makes the wrapper from the original
    function of the first owner. It may be called again, if a patch below this one is uninstalled first.
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
        with _CHANGES:
            self._original = vars(self._owners[0])[self._name]
            self._installed = self._wrapper(self._original)
            for owner in self._owners:
                setattr(owner, self._name, self._installed)
            _installed.append(self)

    def uninstall(self) -> None:
        """Restore the function. A patch that was installed over this one stays, over the original. If other code
        has wrapped the wrapper, it stays and must only pass calls on."""
        if self._installed is None:
            return
        with _CHANGES:
            self._pass_on(self._installed, self._original)
            _installed.remove(self)
            self._original = self._installed = None

    def _pass_on(self, installed: Any, successor: Any) -> None:
        """Put a successor in the place of a wrapper of this patch."""
        for patch in _installed:
            if patch._original is installed:
                wrapper, patch._original = patch._installed, successor
                patch._installed = patch._wrapper(successor)
                patch._pass_on(wrapper, patch._installed)
                return
        for owner in self._owners:
            if vars(owner).get(self._name) is installed:
                setattr(owner, self._name, successor)


_installed: list[Patch] = []
"""The patches that are installed."""
_CHANGES = threading.RLock()
"""Held while one is installed or removed: recordings of several threads patch the same functions."""
