"""Fold unrolled loops: find the iterations of a loop in the graph, without using modules.

A loop repeats its operations, so the counts of its kinds of functions (same name, module and source line) are
multiples of its length. A kind marks the iterations if the path with most functions of that kind has the same
number for each iteration: the functions reachable from the k-th group on such a path, but not from the next one,
belong to iteration k. Iterations found this way never form a cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy
from msgspec import Struct

from inspector.folding.boxes import as_column
from inspector.folding.columns import Ways, numbered, present, translated
from inspector.folding.graph_parts import GraphParts
from inspector.graph.topology import Topology

LEAST_PASSES = 3
_EXACT_BELOW = 8
"""In loops of at least this length, the first and last iteration may lack a function of a kind."""
_MOST_LENGTHS = 4
_MOST_KINDS = 6
"""Maximum number of lengths to try, and of kinds for each length."""


class _Functions(Struct, frozen=True, eq=False):
    """Functions in topological order, with the edges between them, by index in this order.

    kinds: a number for each. starts, targets: the edges of function k go to targets[starts[k] : starts[k + 1]].
    """

    positions: Any
    kinds: Any
    starts: list[int]
    targets: list[int]


def loop_iterations(
    of: Topology, positions: Sequence[int], kinds: Sequence[Hashable]
) -> Iterator[GraphParts]:
    """Possible divisions of these functions into iterations of a loop, most likely first; iterations root first.

    kinds: by index in `positions`. The parts contain neither functions outside of the loop nor AccumulateGrads.
    """
    numbers = kinds if isinstance(kinds, numpy.ndarray) else numbered(kinds)
    own = _functions(of, as_column(positions), numbers)
    counts = Counter(own.kinds.tolist())  # in the order of their first functions, root first
    often = Counter(counts.values())
    for length in _lengths(often):
        multiples = {count for count in often if _times(count, length)}
        beats = [kind for kind, count in counts.items() if count in multiples]
        for kind in beats[:_MOST_KINDS]:
            levels = _levels(own, (own.kinds == kind).tolist())
            times = _times(max(levels), length)
            if times:
                known = sorted(counts)
                chosen = translated(own.kinds, known, [counts[kind] * 2 >= length for kind in known]) > 0
                yield _cut(own, -(-numpy.array(_with_sides(own, levels)) // times), chosen)
                break


def _functions(of: Topology, positions: Any, kinds: Any) -> _Functions:
    kind_of = numpy.full(len(of), -1, numpy.int64)
    kind_of[positions] = kinds
    kind_of[numpy.frombuffer(of.leaf_flags, numpy.bool_)] = -1
    order = numpy.asarray(of.order, numpy.int32)
    positions = order[kind_of[order] >= 0]
    indexes = numpy.full(len(of), -1, numpy.int32)
    indexes[positions] = numpy.arange(len(positions), dtype=numpy.int32)
    counts, edges = Ways(of.starts, of.targets).of(positions)
    targets = indexes[numpy.asarray(of.targets, numpy.int32)[edges]]
    inside = targets >= 0
    before = numpy.concatenate(([0], numpy.cumsum(inside)))
    starts = before[numpy.concatenate(([0], numpy.cumsum(counts)))]
    return _Functions(positions, kind_of[positions], starts.tolist(), targets[inside].tolist())


def _lengths(often: Counter[int]) -> list[int]:
    """Counts that may be the length of the loop; first the one that divides the counts of most functions.

    often: how many kinds have each count.
    """
    weights = {
        length: sum([count * kinds for count, kinds in often.items() if _times(count, length)])
        for length in often
        if length >= LEAST_PASSES
    }
    return sorted(weights, key=lambda length: (-weights[length], -length))[:_MOST_LENGTHS]


def _times(count: int, length: int) -> int:
    """`count` divided by `length`, if it is (nearly) a multiple; else 0."""
    times = round(count / length)
    spare = times if length >= _EXACT_BELOW else 0
    return times if abs(count - times * length) <= spare else 0


def _levels(own: _Functions, is_beat: list[bool]) -> list[int]:
    """For each function, the maximum number of marks of iterations on a path to it (itself included)."""
    levels = [0] * len(is_beat)
    starts, targets = own.starts, own.targets
    for index, beats in enumerate(is_beat):
        level = levels[index]
        if beats:
            level += 1
            levels[index] = level
        for target in targets[starts[index] : starts[index + 1]]:
            if levels[target] < level:
                levels[target] = level
    return levels


def _with_sides(own: _Functions, levels: list[int]) -> list[int]:
    """Extend the levels to functions beside an iteration: those between the root and the iteration (its loss), and
    those that only these reach."""
    if all(levels):
        return levels
    starts, targets = own.starts, own.targets
    for index in [index for index in range(len(levels) - 1, -1, -1) if not levels[index]]:
        below = [levels[target] for target in targets[starts[index] : starts[index + 1]]]
        levels[index] = min(filter(None, below), default=0)
    if all(levels):
        return levels
    reached = [0] * len(levels)
    for index, own_level in enumerate(levels):
        level = own_level or reached[index]
        levels[index] = level
        for target in targets[starts[index] : starts[index + 1]] if level else ():
            if not levels[target]:
                reached[target] = max(reached[target], level)
    return levels


def _cut(own: _Functions, iterations: Any, chosen: Any) -> GraphParts:
    """The functions by iteration, without those that are not `chosen`, unless they are between others.

    iterations: the number of the iteration of each function, from 1; 0 outside of the loop.
    """
    wanted = (iterations > 0) & (chosen if chosen.all() else _with_between(own, iterations, chosen))
    numbers = iterations[wanted]
    known = present(numbers)
    return GraphParts.of(own.positions[wanted], translated(numbers, known, range(len(known))), len(known))


def _with_between(own: _Functions, iterations: Any, chosen: Any) -> Any:
    """The chosen functions, and those between two of them of the same iteration: without these, the iteration
    would be in a cycle with them."""
    sources = numpy.repeat(numpy.arange(len(iterations)), numpy.diff(own.starts))
    targets = numpy.array(own.targets, numpy.int64)
    inside = (iterations[sources] == iterations[targets]) & (iterations[sources] > 0)
    edges = list(zip(sources[inside].tolist(), targets[inside].tolist(), strict=True))
    below, above = chosen.tolist(), chosen.tolist()
    for source, target in edges:
        if below[source]:
            below[target] = True
    for source, target in reversed(edges):
        if above[target]:
            above[source] = True
    return chosen | (numpy.array(below) & numpy.array(above))
