"""Fold unrolled loops: find the iterations of a loop in the graph, without using modules.

A loop repeats its operations, so the counts of its kinds of functions (same name, module and source line) are
multiples of its length. A kind marks the iterations if the path with most functions of that kind has the same
number for each iteration: the functions reachable from the k-th group on such a path, but not from the next one,
belong to iteration k. Iterations found this way never form a cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from inspector.graph.topology import Topology

LEAST_PASSES = 3
_EXACT_BELOW = 8
"""In loops of at least this length, the first and last iteration may lack a function of a kind."""
_MOST_LENGTHS = 4
_MOST_KINDS = 6
"""Maximum number of lengths to try, and of kinds for each length."""

_Kinds = dict[int, Hashable]


def loop_iterations(
    of: Topology, positions: Sequence[int], kinds: Sequence[Hashable]
) -> Iterator[list[list[int]]]:
    """Possible divisions of these functions into iterations of a loop, most likely first; iterations root first.

    kinds: by index in `positions`. The lists contain neither functions outside of the loop nor AccumulateGrads.
    """
    own = [(of.turns[position], position, kind) for position, kind in zip(positions, kinds, strict=True)]
    own = [entry for entry in own if not of.leaf_flags[entry[1]]]
    own.sort(key=lambda entry: entry[0])
    counts = Counter(kind for _, _, kind in own)  # in the order of their first functions, root first
    ordered = [position for _, position, _ in own]
    kind_of = {position: kind for _, position, kind in own}
    for length in _lengths(counts):
        beats = [kind for kind, count in counts.items() if _times(count, length)]
        for kind in beats[:_MOST_KINDS]:
            levels = _levels(of, ordered, kind_of, kind)
            each = _times(max(levels.values()), length)
            if each:
                levels = _with_sides(of, ordered, levels)
                yield _cut(of, ordered, levels, (length, each), [counts[kind_of[at]] for at in ordered])
                break


def _lengths(counts: Counter[Hashable]) -> list[int]:
    """Counts that may be the length of the loop; first the one that divides the counts of most functions."""
    weights = {
        length: sum(count for count in counts.values() if _times(count, length))
        for length in set(counts.values())
        if length >= LEAST_PASSES
    }
    return sorted(weights, key=lambda length: (-weights[length], -length))[:_MOST_LENGTHS]


def _times(count: int, length: int) -> int:
    """`count` divided by `length`, if it is (nearly) a multiple; else 0."""
    times = round(count / length)
    spare = times if length >= _EXACT_BELOW else 0
    return times if abs(count - times * length) <= spare else 0


def _levels(of: Topology, ordered: Sequence[int], kind_of: _Kinds, beat: Hashable) -> dict[int, int]:
    """For each function, the maximum number of functions of the kind `beat` on a path to it (itself included)."""
    levels = dict.fromkeys(ordered, 0)
    starts, targets = of.starts, of.targets
    for position in ordered:
        level = levels[position]
        if kind_of[position] == beat:
            level += 1
            levels[position] = level
        for target in targets[starts[position] : starts[position + 1]]:
            if levels.get(target, level) < level:
                levels[target] = level
    return levels


def _with_sides(of: Topology, ordered: Sequence[int], levels: dict[int, int]) -> dict[int, int]:
    """Extend the levels to functions beside an iteration: those between the root and the iteration (its loss), and
    those that only these reach."""
    starts, targets = of.starts, of.targets
    for position in reversed(ordered):
        if not levels[position]:
            below = [levels.get(target, 0) for target in targets[starts[position] : starts[position + 1]]]
            levels[position] = min(filter(None, below), default=0)
    reached: dict[int, int] = {}
    for position in ordered:
        level = levels[position] or reached.get(position, 0)
        levels[position] = level
        for target in targets[starts[position] : starts[position + 1]] if level else ():
            if not levels.get(target, 1):
                reached[target] = max(reached.get(target, 0), level)
    return levels


def _cut(
    of: Topology, ordered: Sequence[int], levels: dict[int, int], pace: tuple[int, int], counts: Sequence[int]
) -> list[list[int]]:
    """The functions by iteration, without kinds that occur in too few iterations, unless they are between others.

    pace: the number of iterations, and the number of levels of each. counts: the count of each function's kind.
    """
    length, each = pace
    iterations = {position: -(-level // each) for position, level in levels.items() if level}
    often = {position for position, count in zip(ordered, counts, strict=True) if count * 2 >= length}
    result: list[list[int]] = [[] for _ in range(max(iterations.values()))]
    for position in _with_between(of, ordered, iterations, often):
        result[iterations[position] - 1].append(position)
    return [sorted(part) for part in result if part]


def _with_between(
    of: Topology, ordered: Sequence[int], iterations: dict[int, int], chosen: set[int]
) -> list[int]:
    """The chosen functions, and those between two of them of the same iteration: without these, the iteration
    would be in a cycle with them."""
    starts, targets = of.starts, of.targets
    below: set[int] = set()
    above: set[int] = set()
    for position in ordered:
        if position in below or position in chosen:
            mine = iterations.get(position)
            for target in targets[starts[position] : starts[position + 1]] if mine else ():
                if iterations.get(target) == mine:
                    below.add(target)
    for position in reversed(ordered):
        mine = iterations.get(position)
        for target in targets[starts[position] : starts[position + 1]] if mine else ():
            if iterations.get(target) == mine and (target in chosen or target in above):
                above.add(position)
                break
    wanted = chosen | (below & above)
    return [position for position in ordered if position in iterations and position in wanted]
