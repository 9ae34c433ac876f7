"""The modules and tensors in an nn.Module, by path.

Read from torch's dictionaries instead of `named_modules()` and similar methods, which users can override, which do
not terminate if a module contains itself, and which take ten times as long at every backward call.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import torch
from msgspec import Struct
from torch import nn

from inspector.torch_api.modules import buffers_in, children_of, parameters_in, wrapped_name
from inspector.torch_api.sharding import is_flat_parameter, sharded_by_whole

MOST_KEPT = 1_000
"""Maximum number of items inspected in the plain containers of one module; a vocabulary in a list has no
modules."""

DEPTH = 3
"""Maximum nesting: `self.layers[0].gain` is found, anything deeper is not."""

CONTAINERS = (list, tuple, dict)

PLAIN: frozenset[type] = frozenset([str, bytes, int, float, complex, bool, type(None)])
"""Classes of values that contain no tensors."""

MOST_ITEMS = 10_000
"""Maximum number of items inspected in a list."""

Kept: TypeAlias = nn.Module | nn.Parameter
Keeper: TypeAlias = tuple[type, str]
"""The class of a module, and its attribute that is a plain list or dict."""


class ModuleTree(Struct, frozen=True, dict=True):
    """A module and those registered in it.

    modules: (path, module) of itself (path "") and all below it, depth first, a shared one by its first path. A
    wrapper and the module in it have the same path.
    attributes: (path of the module, module, name, value) of attributes that are tensors or containers.
    """

    modules: list[tuple[str, nn.Module]]
    attributes: list[tuple[str, nn.Module, str, Any]]

    @functools.cached_property
    def held(self) -> list[tuple[str, nn.Module, str, nn.Parameter]]:
        """The direct parameters of each module: (path of the module, module, name, parameter)."""
        whole = self.sharded
        return [
            (path, module, name, cast(nn.Parameter, whole[id(tensor)][1]) if id(tensor) in whole else tensor)
            for path, module in self.modules
            for name, tensor in parameters_in(module).items()
            if tensor is not None
        ]

    @functools.cached_property
    def sharded(self) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
        """The parameters under `fully_shard`, by the id of the whole tensor that the forward computes with: (the
        whole tensor, the parameter)."""
        return sharded_by_whole(module for _, module in self.modules)

    @functools.cached_property
    def parameters(self) -> list[tuple[str, nn.Parameter]]:
        """The parameters, as in `named_parameters()`: a shared one by its first path."""
        found: dict[int, tuple[str, nn.Parameter]] = {}
        for path, _, name, tensor in self.held:
            if id(tensor) not in found:
                found[id(tensor)] = (f"{path}.{name}" if path else name, tensor)
        return list(found.values())

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Parameters, buffers, then plain attributes: a parametrized weight, or `self.w = torch.ones(3)`."""
        yield from self.parameters
        for path, module in self.modules:
            for name, tensor in buffers_in(module).items():
                if tensor is not None:
                    yield _join(path, name), tensor
        for path, _, name, value in self.attributes:
            if issubclass(type(value), torch.Tensor):
                yield _join(path, name), value
            elif type(value) is list and value and is_flat_parameter(value[0]):
                yield _join(path, "_flat_param"), value[0]  # its name in torch where it is registered

    @functools.cached_property
    def unregistered(self) -> list[tuple[str, Kept, Keeper]]:
        """The modules and parameters in plain lists or dicts: (path, item, keeper)."""
        found: list[tuple[str, Kept, Keeper]] = []
        known: set[int] = set()
        waiting = [("", self)]
        while waiting:
            outer, tree = waiting.pop()
            for inner, kept, keeper in _kept(tree):
                known = known or {id(item) for _, item in (*self.modules, *self.parameters)}
                if id(kept) in known:
                    continue
                path = _join(outer, inner)
                found.append((path, kept, keeper))
                known.add(id(kept))
                if isinstance(kept, nn.Module):
                    below = module_tree(kept)
                    known |= {id(module) for _, module in below.modules}
                    waiting.append((path, below))
        return found


def modules_below(module: nn.Module, path: str = "") -> list[tuple[str, nn.Module]]:
    """A module with the given path, and all modules registered in it, depth first; a shared one by its first
    path. A module that a wrapper of torch runs has the path of the wrapper."""
    found: list[tuple[str, nn.Module]] = []
    seen: set[int] = set()
    waiting = [(path, module)]
    while waiting:
        path, current = waiting.pop()
        children = children_of(current)
        if id(current) in seen or children is None:  # None if the user's class did not call `super().__init__()`
            continue
        seen.add(id(current))
        found.append((path, current))
        if children:
            wrapped, prefix = wrapped_name(current), f"{path}." if path else ""
            below = [
                (path if name == wrapped else prefix + name, child)
                for name, child in children.items()
                if child is not None
            ]
            waiting.extend(reversed(below))
    return found


def module_tree(module: nn.Module) -> ModuleTree:
    """The current contents of a module."""
    modules = modules_below(module)
    attributes = [
        (path, inner, name, value)
        for path, inner in modules
        for name, value in vars(inner).copy().items()
        if name not in _OF_EVERY_MODULE and issubclass(type(value), _LOOKED_AT)
    ]
    return ModuleTree(modules, attributes)


def items(path: str, holder: Any) -> Iterator[tuple[str, Any]]:
    """The direct contents of a container or object, each with its expression.

    Uses the methods of built-in classes, so that no user code runs. A dictionary is copied before it is read: a
    garbage collection while it is read may drop an item of a weak dictionary, and the reading would fail.
    """
    kind = type(holder)
    if issubclass(kind, dict):
        pairs = dict.copy(holder).items()
        yield from ((f"{path}[{key!r}]", value) for key, value in pairs if type(key) in (str, int))
    elif issubclass(kind, (list, tuple)):
        part = holder[:MOST_ITEMS] if kind in (list, tuple) else _first(holder)
        if not PLAIN.issuperset(map(type, part)):  # skip, for example, the lines of a text
            fields = _fields(kind)
            numbered = map("[{}]".format, itertools.count())
            places = (f".{name}" for name in fields) if len(fields) == len(part) else numbered
            placed = zip(places, part, strict=False)
            yield from ((path + place, value) for place, value in placed if type(value) not in PLAIN)
    else:
        try:
            attributes = object.__getattribute__(holder, "__dict__")
        except Exception:  # __slots__, or a class with a `__dict__` of its own
            return
        if type(attributes) is dict:
            yield from ((f"{path}.{name}", value) for name, value in dict.copy(attributes).items())


def _kept(tree: ModuleTree) -> Iterator[tuple[str, Kept, Keeper]]:
    """The modules and parameters in lists, tuples and dictionaries that are attributes: (path, item, keeper)."""
    left: dict[int, int] = {}
    for outer, module, attribute, holder in tree.attributes:
        if not issubclass(type(holder), CONTAINERS):
            continue
        stack = [(attribute, holder, 1)]
        while stack:
            path, item, depth = stack.pop()
            for inner, value in items(path, item):
                left[id(module)] = left.get(id(module), MOST_KEPT) - 1
                if left[id(module)] < 0:
                    break
                kind = type(value)
                if issubclass(kind, (nn.Module, nn.Parameter)) and not is_flat_parameter(value):
                    yield _join(outer, inner), value, (type(module), attribute)
                elif depth < DEPTH and issubclass(kind, CONTAINERS):
                    stack.append((inner, value, depth + 1))


def _fields(kind: type) -> tuple[str, ...]:
    """The names of the items of a named tuple; empty for other classes."""
    found = (vars(base).get("_fields") for base in kind.__mro__ if issubclass(kind, tuple))
    fields = next((names for names in found if names), ())
    return fields if type(fields) is tuple and all(type(name) is str for name in fields) else ()


def _first(holder: Any) -> list[Any]:
    """The first items of an instance of a subclass of list or tuple, read with the methods of list or tuple."""
    kind = list if issubclass(type(holder), list) else tuple
    return list(itertools.islice(kind.__iter__(holder), MOST_ITEMS))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_LOOKED_AT = (torch.Tensor, *CONTAINERS)
