"""The script's names for the modules that it called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field
from torch import nn

from inspector.user_code.module_tree import module_tree
from inspector.user_code.variable_names import Names


class RootName(Struct, frozen=True):
    """The name of a module that was called outside of all others.

    path: with the same beginning as the names of parameters: the script's variable if there are several outermost
    modules, else nothing; a module without tensors always has the name of its variable.
    variable: the same, always beginning with the variable.
    members: for an `nn.Sequential` without a name, such as the slice `layers[:3]`, the names of those in it; the
    others are empty then.
    """

    path: str
    variable: str
    members: Mapping[str, RootName] = field(default_factory=dict)


Members: TypeAlias = Mapping[str, nn.Module]
"""What an `nn.Sequential` contains, by its names in it."""


def root_names(
    roots: Sequence[nn.Module | None], names: Names, members: Sequence[Members] = ()
) -> list[RootName | None]:
    """The name of each module in the script: its path in the outermost module that holds it; None for one that has
    no name, and for one that no longer exists.

    members: of each module, what it contains, if that is to be named where it has no name itself.
    """
    found = _names_of([*roots, *(module for its in members for module in its.values())], names)
    own = [None if module is None else found.get(id(module)) for module in roots]
    given = [*members, *({} for _ in roots[len(members) :])]
    return [_of_members(its, found) if name is None else name for name, its in zip(own, given, strict=True)]


def _of_members(members: Members, found: Mapping[int, RootName]) -> RootName | None:
    known = {key: found[id(module)] for key, module in members.items() if id(module) in found}
    return RootName("", "", known) if members and len(known) == len(members) else None


def _names_of(modules: Sequence[nn.Module | None], names: Names) -> dict[int, RootName]:
    """The names of those modules that have one, by id."""
    wanted = {id(module) for module in modules if module is not None}
    found: dict[int, RootName] = {}
    for name, module in _named_modules(names):
        if id(module) in wanted:
            found.setdefault(id(module), name)
            if len(found) == len(wanted):
                break
    return found


def _named_modules(names: Names) -> Iterator[tuple[RootName, nn.Module]]:
    """Every module of the script with its name: the registered ones first."""
    prefixes = {id(module): prefix for prefix, module in names.modules()}
    variables = {id(module): name for name, module in names.outermost}
    outermost = [(prefix, variables.get(id(module), prefix), module) for prefix, module in names.given]
    for name, module in names.outermost:
        without = "" if names.tree(module).unregistered else name
        outermost.append((prefixes.get(id(module), without), name, module))
    for prefix, variable, outer in outermost:
        for path, module in names.tree(outer).modules:
            yield RootName(_join(prefix, path), _join(variable, path)), module
    for prefix, variable, outer in outermost:
        for path, kept, _ in names.tree(outer).unregistered:
            for below, module in module_tree(kept).modules if isinstance(kept, nn.Module) else ():
                inner = _join(path, below)
                yield RootName(_join(prefix, inner), _join(variable, inner)), module


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
