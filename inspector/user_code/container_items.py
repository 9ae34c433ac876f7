"""The tensors and modules in the user's containers: lists, dicts, and objects that hold some."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

import torch

from inspector.user_code.module_tree import CONTAINERS, DEPTH, MOST_ITEMS, PLAIN, items


class ContainerItems:
    """The tensors found in containers, each with its path: `batch['x']`, `state.h`.

    At most MOST_ITEMS items are inspected.
    """

    def __init__(self) -> None:
        self.tensors: list[tuple[str, torch.Tensor]] = []
        self._left = MOST_ITEMS  # attributes and items that may still be inspected

    def search(self, name: str, holder: Any) -> list[tuple[str, torch.nn.Module]]:
        """Add the tensors in a container. name: its variable. Returns the modules in it, with their paths."""
        first = len(self.tensors)
        modules = self._search(name, holder)
        if _has_dynamic_attributes(type(holder)):
            found = ((_as_attribute(name, path, holder), tensor) for path, tensor in self.tensors[first:])
            self.tensors[first:] = list(found)
        return modules

    def _search(self, name: str, holder: Any) -> list[tuple[str, torch.nn.Module]]:
        stack, modules = [(name, holder, 1)], list[tuple[str, torch.nn.Module]]()
        while stack:
            path, item, depth = stack.pop()
            if issubclass(type(item), torch.nn.Module):
                continue
            for inner, value in items(path, item):
                self._left -= 1
                if self._left < 0:
                    return modules
                kind = type(value)
                if issubclass(kind, torch.Tensor):
                    self.tensors.append((inner, value))
                elif issubclass(kind, torch.nn.Module):
                    modules.append((inner, value))
                elif depth < DEPTH and may_hold_tensors(kind):
                    stack.append((inner, value, depth + 1))
        return modules


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


def may_hold_tensors(kind: type) -> bool:
    """Whether values of this class are inspected. Decided by the class, since `isinstance` may run the code of a
    proxy."""
    if issubclass(kind, CONTAINERS):
        return True
    return not issubclass(kind, _HOLDING_NOTHING) and kind.__module__.partition(".")[0] not in _LIBRARIES
