"""The module of every function, as a path split into parts."""

from __future__ import annotations

from inspector.graph.topology import Topology

Path = tuple[str, ...]
"""The path of a module, split into parts: ("blocks", "3", "attn") for `blocks.3.attn`; () for the outermost module
and for functions outside of modules."""


def module_paths(of: Topology, named: list[Path] | None = None) -> list[Path]:
    """The module path of every function; for an AccumulateGrad, the innermost module that contains all its users.

    named: the paths of the functions, if they were not recorded.
    """
    result = _recorded(of) if named is None else list(named)
    users: dict[int, Path] = {}
    for position in range(len(of)):
        for target in of.following(position):
            if of.functions[target]["is_leaf"]:
                mine = result[position]
                users[target] = common(users[target], mine) if target in users else mine
    for leaf, path in users.items():
        result[leaf] = path
    return result


def _recorded(of: Topology) -> list[Path]:
    known: dict[str, Path] = {"": ()}
    result: list[Path] = []
    for function in of.functions:
        module = function["module"]
        if not isinstance(module, str):
            result.append(())
            continue
        path = known.get(module)
        if path is None:
            path = known[module] = tuple(module.split("."))
        result.append(path)
    return result


def common(one: Path, other: Path) -> Path:
    """The common prefix of two paths."""
    if one == other:
        return one
    length = 0
    for mine, others in zip(one, other, strict=False):
        if mine != others:
            break
        length += 1
    return one[:length]
