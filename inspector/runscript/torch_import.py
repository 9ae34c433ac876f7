"""Run a callback when the script has imported torch. The inspector never imports torch before the script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

from inspector.runscript.sys_modules_isolation import our_modules
from inspector.util.gc_pause import gc_paused_for_import

if TYPE_CHECKING:
    from importlib.abc import Loader

# Python leaves frames of this file out of the traceback of a failed import.
_IMPORTLIB = ModuleSpec.__init__.__code__.co_filename


class TorchImport:
    """A finder on `sys.meta_path` that calls `on_torch` once, right after torch's module was executed.

    It finds no modules itself: it asks the other finders for torch, and replaces `exec_module` of their loader for
    one call; torch's ``__spec__`` and ``__loader__`` are the usual ones. After a failed import it stays installed
    for the next attempt.

    warn: called with one line if `on_torch` raises; the exception never reaches the script.
    """

    def __init__(self, on_torch: Callable[[], None], warn: Callable[[str], None]) -> None:
        self._on_torch = on_torch
        self._warn = warn
        self.failed = False
        """Whether the last import of torch raised."""

    def install(self) -> None:
        """Wait for the import of torch; if it is already imported, run the callback immediately."""
        if "torch" in sys.modules:
            self._call()
        else:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stop waiting. Can be called at any time."""
        # A new list, since another thread may be iterating over the old one and would skip a finder.
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec for torch from the other finders; None for all other modules."""
        if name != "torch":
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                if spec.loader is not None:
                    self._lend(spec.loader)
                return spec
        return None

    def _lend(self, loader: Loader) -> None:
        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # restores the method of the class
            self.failed = True
            resume = gc_paused_for_import()
            try:
                loader.exec_module(module)
                self.failed = False
                self._imported()
            finally:
                resume()

        exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORTLIB)
        try:
            loader.exec_module = exec_module  # type: ignore[method-assign]
        except AttributeError:
            self._warn(f"torch cannot be observed: {type(loader).__name__} takes no attributes")

    def _imported(self) -> None:
        self.remove()
        self._call()

    def _call(self) -> None:
        try:
            with our_modules():
                self._on_torch()
        except Exception as error:
            self._warn(f"torch cannot be observed: {type(error).__name__}: {error}")
