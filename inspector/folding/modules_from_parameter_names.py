"""Infer modules from parameter names if the forward was not recorded: `blocks.3.fc.weight` names its user's
module.

A function that uses parameters belongs to the innermost module that holds all of them; any other function belongs
to the module around the one that produced its latest operand (an activation after a Linear belongs to the block of
both). Only boxes use this; in the model the module of the function stays unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from inspector.folding.module_paths import common
from inspector.graph import is_unknown
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.topology import Topology

_Names = tuple[str, ...]
"""The path of a module, split into names."""


def modules_from_parameter_names(of: Topology, names: Mapping[int, str | None]) -> list[_Names] | None:
    """The path of every function; None if modules were recorded, or if no leaf is named after one.

    names: of the leaves, by their AccumulateGrad.
    """
    holders = {leaf: _module(name) for leaf, name in names.items()}
    if not any(holders.values()):
        return None
    modules = zip(of.functions.modules, of.leaf_flags, strict=True)
    if not all(is_leaf or is_unknown(module) for module, is_leaf in modules):
        return None
    found: list[_Names] = [()] * len(of)
    takes: set[int] = set()
    uses = Counter(of.targets)
    for position in reversed(of.order):
        targets = of.following(position)
        if not targets:
            continue
        own = [path for target in targets if (path := _parameter(of, holders, target)) is not None]
        if own:
            takes.add(position)
            found[position] = own[0]
            for path in own[1:]:
                found[position] = common(found[position], path)
            for target in targets:  # a Linear may view its operand in another shape
                if uses[target] == 1 and _is_view(of, target):
                    found[target] = found[position]
        else:
            latest = min(targets, key=of.turns.__getitem__)
            found[position] = found[latest][:-1] if latest in takes else found[latest]
    return found


def _parameter(of: Topology, holders: dict[int, _Names], target: int) -> _Names | None:
    """The module of the parameter at the end of an edge, directly or through views (a transposed weight)."""
    while target not in holders and _is_view(of, target) and len(of.following(target)) == 1:
        target = of.following(target)[0]
    return holders.get(target) or None


def _is_view(of: Topology, position: int) -> bool:
    """Whether a function is a view of all elements of its input."""
    name = of.functions.names[position]
    return is_kind(name, NodeKind.VIEW) and is_kind(name, NodeKind.COVERS)


def _module(name: str | None) -> _Names:
    """`blocks.3.fc.weight` → (blocks, 3, fc); () for a name that is not such a path."""
    if not name or "." not in name:
        return ()
    parts = name.split(".")
    return tuple(parts[:-1]) if all(part.isidentifier() or part.isdigit() for part in parts) else ()
