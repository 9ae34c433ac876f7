"""The walk over `next_functions`, with a stack of its own: no recursion, each Node once, in pre-order."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

AutogradNode: TypeAlias = Any
"""Built-in Nodes have no common Python base, and `isinstance(n, torch.autograd.graph.Node)` is False for those
of C++ extensions: what has `next_functions` is a Node."""

EMPTY = -1
"""Target of a slot that leads nowhere: `(None, 0)`, an input that needs no gradient."""


@dataclass(slots=True)
class Walk:
    """The Nodes under some roots, and the edges between them, as dense columns.

    It holds Nodes, so it holds their graph: it lives as long as one backward call and no longer.

    nodes: in pre-order over the roots and their next_functions by slot; the k-th becomes `n{k}`.
    index: the position of each Node in `nodes`.
    roots: (position of the Node, output number) of each root.
    sources, slots, targets, input_nrs: one entry an edge, `EMPTY` as target of an empty slot.
    """

    nodes: list[AutogradNode] = field(default_factory=list)
    index: dict[AutogradNode, int] = field(default_factory=dict)
    roots: list[tuple[int, int]] = field(default_factory=list)
    sources: array[int] = field(default_factory=lambda: array("i"))
    slots: array[int] = field(default_factory=lambda: array("i"))
    targets: array[int] = field(default_factory=lambda: array("i"))
    input_nrs: array[int] = field(default_factory=lambda: array("i"))


def walk(roots: Iterable[tuple[AutogradNode, int]]) -> Walk:
    """Walk from `roots`, pairs of a Node and one of its output numbers."""
    result = Walk()
    roots = list(roots)
    # A collection during the walk would visit every wrapper made so far, again and again (190 ms at 10^5).
    enabled = gc.isenabled()
    gc.disable()
    try:
        for node, _ in roots:
            _walk_from(node, result)
    finally:
        if enabled:
            gc.enable()
    result.roots = [(result.index[node], output_nr) for node, output_nr in roots]
    return result


def _walk_from(root: AutogradNode, result: Walk) -> None:
    nodes, index = result.nodes, result.index
    sources, slots, input_nrs = result.sources, result.slots, result.input_nrs
    targets: list[AutogradNode] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node in index:
            continue
        position = index[node] = len(nodes)
        nodes.append(node)
        edges = node.next_functions  # built anew at each access: read once
        for slot, (target, input_nr) in enumerate(edges):
            sources.append(position)
            slots.append(slot)
            input_nrs.append(input_nr)
            targets.append(target)
        stack.extend([target for target, _ in reversed(edges) if target is not None])
    result.targets.extend(EMPTY if target is None else index[target] for target in targets)

