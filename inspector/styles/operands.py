"""The operands of an operation by position: what arrives over a wire, leaves, and constants. No torch needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow, NextEdge
from inspector.graph.topology import Pair, topology_of
from inspector.graph.values import Value

Constant = dict[str, Any]
_RESULT = "result"
"""How the names of saved tensors begin that a function computed itself: the mean that a layer norm took."""


class Operand(Struct, frozen=True):
    """An operand of the function `user`.

    position: its place in the signature of the operation. output: the output (function, number) that it is, or
    None for a constant. edge: the edge that brings its gradient. constant: its row.
    """

    user: str
    position: int
    output: Pair | None = None
    edge: NextEdge | None = None
    constant: Constant | None = None

    @property
    def gradient(self) -> Value:
        """The gradient along its edge; None without one."""
        return None if self.edge is None else self.edge.get("gradient")

    @property
    def id(self) -> str:
        """The id of the wire or link: that of its edge, `n3.0`; `n3.c1` for a constant."""
        return f"{self.user}.c{self.position}" if self.edge is None else f"{self.user}.{self.edge['slot']}"


def operands_of(graph: Graph, identifier: str) -> list[Operand]:
    """The operands of a function, in the order of its signature."""
    node = graph.function(identifier)
    of = topology_of(graph)
    positions: Any = node.get("slot_positions")
    found = []
    for target, edge in of.leaving(of.index[identifier]):
        slot = edge["slot"]
        position = positions[slot] if positions and slot < len(positions) else slot
        found.append(Operand(identifier, position, (of.ids[target], edge["input_nr"]), edge))
    taken = {operand.position for operand in found}
    for constant in _constants(graph, node):
        if constant["position"] not in taken:
            found.append(Operand(identifier, constant["position"], constant=constant))
    return sorted(found, key=lambda operand: operand.position)


def _constants(graph: Graph, node: FunctionRow) -> Iterator[Constant]:
    """The recorded constants; for a graph without them, the saved tensors that no function of the graph made."""
    recorded: Any = node.get("constants")
    if recorded is not None:
        yield from recorded
        return
    empty = list(node["empty_slots"])
    makers = topology_of(graph).makers
    for saved in node["saved"]:
        tensor = saved["tensor"]
        if tensor is None or tensor not in graph.rows or tensor in makers or not empty:
            continue
        if saved["name"].startswith(_RESULT):
            continue
        row = graph.tensor(tensor)
        value = row["before"]["data"]
        yield {
            "position": empty.pop(0),
            "name": row["name"],
            "value": value,
            "shape": row["shape"],
            "tensor": tensor,
        }
