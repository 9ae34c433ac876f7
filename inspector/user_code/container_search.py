"""Find tensors and modules in containers and objects, a few levels deep, within a limit of items.

No container takes all of the limit: they are searched in turns, those of the user before those of libraries. So a
list of a million samples, or the tests that pytest has collected, hide nothing that lies elsewhere.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections import deque
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch

from inspector.user_code.module_tree import CONTAINERS, DEPTH, MOST_ITEMS, PLAIN, items

_TURN = 100
"""Number of items of one container that are looked at before the next container has its turn."""


class ContainerSearch:
    """Searches containers; at most `MOST_ITEMS` items of the user's, and as many of libraries'.

    tensors, modules: what `search` has found, each with its expression; of a module also whether a variable of
    the user holds it.
    """

    def __init__(self) -> None:
        self._of_user: list[tuple[str, Any]] = []
        self._of_libraries: list[tuple[str, Any]] = []
        self.tensors: list[tuple[str, torch.Tensor]] = []
        self.modules: list[tuple[str, torch.nn.Module, bool]] = []

    def add(self, name: str, holder: Any, *, is_library: bool) -> None:
        """Search a variable, if its class may hold tensors. is_library: whether it is one of a library."""
        if _may_hold_tensors(type(holder)):
            (self._of_libraries if is_library else self._of_user).append((name, holder))

    def search(self) -> None:
        """Find the tensors and modules in what was added."""
        for holders in (self._of_user, self._of_libraries):
            for name, item in _found(holders):
                if issubclass(type(item), torch.Tensor):
                    self.tensors.append((name, item))
                else:
                    self.modules.append((name, item, holders is self._of_user))


def _found(holders: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    left, waiting = MOST_ITEMS, deque(itertools.starmap(_inspected, holders))
    while waiting and left > 0:
        search = waiting.popleft()
        turn = list(itertools.islice(search, min(_TURN, left)))
        left -= len(turn)
        if len(turn) == _TURN:
            waiting.append(search)
        yield from (item for item in turn if item is not None)


def _inspected(name: str, holder: Any) -> Iterator[tuple[str, Any] | None]:
    """Every item in a container and in what it contains: a tensor or a module with its expression, or None."""
    is_dynamic = _has_dynamic_attributes(type(holder))
    stack = [(name, holder, 1)]
    while stack:
        path, item, depth = stack.pop()
        for inner, value in items(path, item):
            kind = type(value)
            if issubclass(kind, torch.Tensor):
                yield (_as_attribute(name, inner, holder) if is_dynamic else inner), value
            elif issubclass(kind, torch.nn.Module):
                yield inner, value
            else:
                if depth < DEPTH and _may_hold_tensors(kind):
                    stack.append((inner, value, depth + 1))
                yield None


def _has_dynamic_attributes(kind: type) -> bool:
    """Whether the class makes up attributes: `data.mask` may be an item of a dict that it keeps."""
    return any("__getattr__" in vars(base) for base in kind.__mro__)


def _as_attribute(name: str, path: str, holder: Any) -> str:
    """`data.mask` for `data._store._mapping['mask']`, where nothing else has that name."""
    found = _PRIVATE_ITEM.fullmatch(path[len(name) :])
    if found is None:
        return path
    try:
        inspect.getattr_static(holder, found[1])
    except AttributeError:
        return f"{name}.{found[1]}"
    return path


_PRIVATE_ITEM = re.compile(r"(?:\._\w+)+\['([^\W\d]\w*)'\]")
_LIBRARIES = ("torch", "numpy", "builtins")
_HOLDING_NOTHING: tuple[type, ...] = (*PLAIN, range, type, ModuleType)


def _may_hold_tensors(kind: type) -> bool:
    """Whether values of this class are inspected. Decided by the class, since `isinstance` may run the code of a
    proxy."""
    if issubclass(kind, CONTAINERS):
        return True
    library = kind.__module__  # anything, for a class that was made by hand
    return not issubclass(kind, _HOLDING_NOTHING) and str(library).partition(".")[0] not in _LIBRARIES
