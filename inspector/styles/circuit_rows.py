"""Cut a long circuit into rows: what a later row reads of an earlier one is shown by its name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from inspector.styles.gates import Gate
from inspector.styles.operands import Operand

_MOST_NAMES = 3
"""Maximum outputs of earlier rows that a row reads."""
_COST = 0.4
"""Cost of such an output, in gates of the longest row."""
_LEAST = 2
_MOST_GATES = 60


def cut_into_rows(
    gates: dict[str, Gate], rows: int, passes: Sequence[Sequence[str]] = ()
) -> frozenset[str]:
    """The ids of the operands to show by name, for rows as short as possible; empty if there is no cut.

    passes: the gates of the passes of a loop, which are not cut if there are enough places between them.
    """
    order = list(gates)
    if not rows * _LEAST <= len(order) <= _MOST_GATES:
        return frozenset()
    every = range(_LEAST, len(order) - _LEAST + 1)
    between = [place for place in every if _is_between(order, place, passes)] if passes else []
    options = between if len(between) >= rows - 1 else every
    best: tuple[float, frozenset[str]] | None = None
    for cuts in combinations(options, rows - 1):
        crossing = _crossing(gates, order, cuts)
        if crossing is None:
            continue
        outputs = {operand.output for operand in crossing}
        bounds = [0, *cuts, len(order)]
        parts = [order[start:end] for start, end in pairwise(bounds)]
        cost = max(_depth(gates, part) for part in parts) + _COST * len(outputs)
        if best is None or cost < best[0]:
            best = cost, frozenset(operand.id for operand in crossing)
    return best[1] if best else frozenset()


def _is_between(order: Sequence[str], place: int, passes: Sequence[Sequence[str]]) -> bool:
    """Whether a cut at a place is in no pass."""
    before = set(order[:place])
    return all(len({one in before for one in one_pass}) == 1 for one_pass in passes)


def _crossing(gates: dict[str, Gate], order: Sequence[str], cuts: Sequence[int]) -> list[Operand] | None:
    """The operands that come from an earlier row; None if some row reads too many outputs."""
    row = {one: sum(place >= cut for cut in cuts) for place, one in enumerate(order)}
    found = [
        operand
        for one in order
        for operand in gates[one].operands
        if operand.output is not None and row.get(operand.output[0], row[one]) != row[one]
    ]
    for number in range(1, len(cuts) + 1):
        if len({operand.output for operand in found if row[operand.user] == number}) > _MOST_NAMES:
            return None
    return found


def _depth(gates: dict[str, Gate], part: Sequence[str]) -> int:
    """The gates on the longest way through a row."""
    depths: dict[str, int] = {}
    for one in part:
        before = (depths.get(operand.output[0], 0) for operand in gates[one].operands if operand.output)
        depths[one] = 1 + max(before, default=0)
    return max(depths.values())
