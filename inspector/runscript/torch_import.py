"""Call back as soon as the script has imported torch, which the inspector never imports first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

from inspector.runscript.sys_modules_isolation import our_modules

if TYPE_CHECKING:
    from importlib.abc import Loader

# In a traceback Python leaves out frames of this file when an import fails.
_IMPORTLIB = ModuleSpec.__init__.__code__.co_filename


class TorchImport:
    """A finder on `sys.meta_path` that calls `on_torch` once, right after torch's module was executed.

    It finds nothing itself. It asks the other finders for torch and lends the loader that they give an
    `exec_module` for one call; torch's ``__spec__`` and ``__loader__`` are the usual ones. A failed import
    leaves it in place for the next try.

    warn: is given one line if `on_torch` raised; that exception never reaches the script.
    """

    def __init__(self, on_torch: Callable[[], None], warn: Callable[[str], None]) -> None:
        self._on_torch = on_torch
        self._warn = warn
        self.failed = False
        """Whether the last import of torch has raised."""

    def install(self) -> None:
        """Wait for torch; where it is imported already, call at once."""
        if "torch" in sys.modules:
            self._call()
        else:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wait no more. May be called at any time."""
        # A new list: another thread may be going through the old one, and would skip a finder.
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders have for torch; None (go on) for all other modules."""
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
            del loader.exec_module  # the class's own again
            self.failed = True
            loader.exec_module(module)
            self.failed = False
            self._imported()

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
