"""The calls of modules that created every function, as a path."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TypeVar

from inspector.graph.topology import Topology

Part = tuple[str, int]
"""One call of a module: its name in the enclosing one, and which pass through it this is. A module that was never
called, such as a ModuleList, is a part of the name: ("transformer.h.3", 1)."""
Path = tuple[Part, ...]
"""The calls around a function, outermost first: (("transformer.h.3", 1), ("attn", 1)); () for the outermost module
and for functions outside of modules."""

_Step = TypeVar("_Step")


def module_paths(of: Topology, named: Sequence[tuple[str, ...]] | None = None) -> list[Path]:
    """The path of every function; for an AccumulateGrad, the innermost call that contains all its users.

    named: the modules of the functions, split into names, if they were not recorded.
    """
    result = _recorded(of) if named is None else [tuple((name, 1) for name in names) for names in named]
    for leaf, is_leaf in enumerate(of.leaf_flags):
        if is_leaf and (users := of.arrivals.of(leaf)):
            result[leaf] = functools.reduce(common, [result[user] for user in users])
    return result


def name_of(path: Path) -> str:
    """The name of the innermost module: `transformer.h.3.attn`."""
    return ".".join(name for name, _ in path)


def names_in(path: Path) -> tuple[str, ...]:
    """The names along a path, without passes."""
    return tuple([name for name, _ in path]) if path else ()


def common(one: tuple[_Step, ...], other: tuple[_Step, ...]) -> tuple[_Step, ...]:
    """The common prefix of two paths."""
    if one == other:
        return one
    length = 0
    for mine, others in zip(one, other, strict=False):
        if mine != others:
            break
        length += 1
    return one[:length]


def _recorded(of: Topology) -> list[Path]:
    known: dict[tuple[str, tuple[int, ...]], Path] = {}
    result: list[Path] = []
    for module, passes in zip(of.functions.modules, of.functions.passes, strict=True):
        if not isinstance(module, str):
            result.append(())
            continue
        key = module, tuple(passes or ())
        path = known.get(key)
        if path is None:
            path = known[key] = _path(*key)
        result.append(path)
    return result


def _path(module: str, passes: tuple[int, ...]) -> Path:
    names = module.split(".") if module else []
    found: list[Part] = []
    waiting: list[str] = []
    for name, number in zip(names, passes or (1,) * len(names), strict=True):
        waiting.append(name)
        if number:
            found.append((".".join(waiting), number))
            waiting = []
    return tuple(found)
