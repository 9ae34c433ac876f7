"""Two views of `sys.modules`, for scripts with a module of the same name as one of the inspector's.

A script with its own ``inspector.py`` (or ``click/``, or ``random.py``) beside it imports its own, as with plain
python. While the script runs, the inspector's modules of such names are removed from `sys.modules`. Functions of
the inspector still work, since they hold what they imported; only an ``import`` statement that runs later would
find the user's module. So every callback that may import runs inside ``with our_modules():``, which restores the
inspector's view. Without a collision, which is the usual case, it does nothing.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import FrozenImporter, ModuleSpec, PathFinder
from types import ModuleType

# Imported by the interpreter before any script, so never a module of the script.
_BEFORE_ANY_SCRIPT = {"__main__", "encodings", "sitecustomize", "usercustomize"}
# The inspector records the torch that the script imports, whichever that is.
_TORCH = "torch"


class _Views:
    """The inactive view: the modules with colliding names, and `sys.path`."""

    def __init__(self, names: frozenset[str], our_path: list[str]) -> None:
        self._names = names
        self._modules: dict[str, ModuleType] = {}
        self._path = our_path
        self._lock = threading.Lock()
        self._depth = 0
        self._swap_modules()

    def enter(self) -> None:
        """Switch to the inspector's view, until the matching call of `leave`."""
        with self._lock:
            if self._depth == 0:
                self._swap()
            self._depth += 1

    def leave(self) -> None:
        """Switch back to the script's view after the last matching call."""
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._swap()

    def _swap(self) -> None:
        self._swap_modules()
        sys.path, self._path = self._path, sys.path

    def _swap_modules(self) -> None:
        coming = self._modules
        going = {name: module for name, module in sys.modules.copy().items() if _top(name) in self._names}
        for name in going:
            del sys.modules[name]
        sys.modules.update(coming)
        self._modules = going


_views: _Views | None = None


@contextmanager
def our_modules() -> Iterator[None]:
    """Inside this context, ``import`` finds the inspector's modules instead of the user's modules of the same
    name. It can be nested, and used by several threads."""
    views = _views
    if views is None:
        yield
        return
    views.enter()
    try:
        yield
    finally:
        views.leave()


def hide_our_modules(folder: str, our_path: list[str]) -> None:
    """Remove the inspector's modules whose names collide with a module in `folder` from `sys.modules`.

    folder: the script's folder or zip, first on its `sys.path`.
    our_path: the `sys.path` of the inspector.
    """
    global _views
    script_path, sys.path = sys.path, _script_last(folder, our_path)
    try:
        names = _collisions(folder)
        our_path = sys.path
    finally:
        sys.path = script_path
    _views = _Views(names, our_path) if names else None


def _script_last(folder: str, our_path: list[str]) -> list[str]:
    """`our_path` with the script's folder last, in case PYTHONPATH contains it."""
    real = os.path.realpath(folder)
    last = [path for path in our_path if os.path.realpath(path) == real]
    return [path for path in our_path if path not in last] + last


def _collisions(folder: str) -> frozenset[str]:
    """The top-level names of modules in `folder` that are also names of modules that we use or may use."""
    was_listed = folder in sys.path_importer_cache
    names = frozenset(_both(folder))
    if not was_listed:
        # It caches the listing of the folder, which must not be older than in plain python.
        sys.path_importer_cache.pop(folder, None)
    return _only_ours(names)


def _both(folder: str) -> Iterator[str]:
    """The names of modules in `folder` that we would find elsewhere, or have already imported."""
    for name in _names_in(folder) - _BEFORE_ANY_SCRIPT.union(sys.builtin_module_names, {_TORCH}):
        theirs = PathFinder.find_spec(name, [folder])
        if theirs is None or theirs.loader is None or FrozenImporter.find_spec(name) is not None:
            continue
        ours = _our_spec(name)
        if ours is not None and not _is_same(ours, theirs):
            yield name


def _names_in(folder: str) -> set[str]:
    """The possible names of modules in a folder (or a zip). Subfolders are included without checking their
    contents."""
    try:
        entries = os.listdir(folder)  # noqa: PTH208
    except OSError:
        entries = [module.name for module in pkgutil.iter_modules([folder])]
    return {name for entry in entries if (name := entry.partition(".")[0]).isidentifier()}


def _only_ours(names: frozenset[str]) -> frozenset[str]:
    """The names that we have imported or may import. The dependencies are only looked up if necessary, since that
    is slow."""
    loaded = {_top(name) for name in sys.modules.copy()} | sys.stdlib_module_names
    if names <= loaded:
        return names
    from inspector.util.dependencies import import_names

    needed = import_names()
    return names if needed is None else names & (loaded | needed)


def _our_spec(name: str) -> ModuleSpec | None:
    loaded: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    return loaded or PathFinder.find_spec(name)


def _is_same(one: ModuleSpec, other: ModuleSpec) -> bool:
    if one.origin is None or other.origin is None:
        return False
    return os.path.realpath(one.origin) == os.path.realpath(other.origin)


def _top(name: str) -> str:
    return name.partition(".")[0]
