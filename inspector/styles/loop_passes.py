"""The passes of a loop, whose functions correspond to each other. No torch needed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from inspector.folding.by_loop_iteration import loop_iterations
from inspector.graph import Graph
from inspector.graph.places import file_and_line
from inspector.graph.topology import topology_of
from inspector.styles.operands import operands_of

MOST_PASSES = 8


def loop_passes(graph: Graph) -> list[tuple[str, ...]]:
    """The functions of each pass in the order of the forward, by their role in the pass; empty without a loop.

    All passes have the same operations, made by the same lines and connected in the same way; together they have
    everything that these lines made, if they are known.
    """
    of = topology_of(graph)
    positions = [position for position, function in enumerate(of.functions) if not function["is_leaf"]]
    kinds = [_kind(graph, of.ids[position]) for position in positions]
    for parts in loop_iterations(of, positions, kinds):
        if len(parts) > MOST_PASSES:
            continue
        passes = [_by_role(graph, [of.ids[position] for position in part]) for part in reversed(parts)]
        inside = {one for one_pass in passes for one in one_pass}
        lines = {_line(graph, one) for one in inside} - {None}
        if any(_line(graph, of.ids[other]) in lines and of.ids[other] not in inside for other in positions):
            continue  # what repeats is a part of the passes
        if len({tuple(_kind(graph, one) for one in one_pass) for one_pass in passes}) == 1:
            return passes
    return []


def _kind(graph: Graph, identifier: str) -> Hashable:
    return graph.function(identifier)["name"], _line(graph, identifier)


def _line(graph: Graph, identifier: str) -> Hashable:
    return file_and_line(graph.function(identifier)["source"])


def _by_role(graph: Graph, part: Sequence[str]) -> tuple[str, ...]:
    """The functions of a pass, from its results to its inputs, the operands of each in their order."""
    of, inside = topology_of(graph), set(part)
    found: dict[str, None] = {}
    ends = sorted(part, key=lambda one: of.turns[of.index[one]])
    for end in ends:
        waiting = [end]
        while waiting:
            one = waiting.pop()
            if one in inside and one not in found:
                found[one] = None
                operands = operands_of(graph, one)
                waiting += [operand.output[0] for operand in reversed(operands) if operand.output]
    return tuple(found)
