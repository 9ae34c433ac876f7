"""The denser ways to draw the style `circuit`, for a canvas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from inspector.styles.circuit_model import Compaction, Which
from inspector.styles.compact_circuit import plan_circuit_of_norms, plan_compact_circuit
from inspector.styles.plan import Plan
from inspector.styles.subject import Subject
from inspector.styles.table import Density

FEWER_HEAT_MAPS = tuple(
    Density(
        f"leaves at their gates, heat maps of {which} alone, numbers to 2 digits, the loss as one gate",
        partial(plan_compact_circuit, digits=2, grouped=True, compaction=compaction),
    )
    for which, compaction in (
        ("tensors with a name", Compaction(maps="named")),
        ("leaves", Compaction(maps="ends")),
    )
)
"""Tried where a figure with heat maps does not fit a canvas, before all of these are left out."""

_ROWS = ((2, "two"), (3, "three"))
_FEWER_GRIDS: tuple[tuple[Which, str], ...] = (("named", "tensors with a name"), ("ends", "leaves"))
_ANY_ROWS = ((1, ""), *((rows, f"in {count} rows, ") for rows, count in _ROWS))


def _compact(compaction: Compaction) -> Callable[[Subject], Plan]:
    return partial(plan_compact_circuit, digits=2, grouped=True, compaction=compaction)


def _of_norms(compaction: Compaction) -> Callable[[Subject], Plan]:
    return partial(plan_circuit_of_norms, compaction=compaction)


CIRCUITS = (
    Density("leaves at their gates", partial(plan_compact_circuit, digits=4)),
    Density("leaves at their gates, numbers to 2 digits", partial(plan_compact_circuit, digits=2), turns=True),
    Density(
        "leaves at their gates, numbers to 2 digits, the loss as one gate",
        partial(plan_compact_circuit, digits=2, grouped=True),
        turns=True,
    ),
    Density(
        "leaves at their gates, constants in the gates, numbers to 2 digits",
        partial(plan_compact_circuit, digits=2, compaction=Compaction(inline=True)),
        turns=True,
    ),
    Density(
        "leaves at their gates, constants in the gates, numbers to 2 digits, the loss as one gate",
        _compact(Compaction(inline=True)),
        turns=True,
    ),
    Density(
        "passes as wide as their numbers, constants in the gates, numbers to 2 digits",
        _compact(Compaction(inline=True, even=False)),
    ),
    *(
        Density(f"in {count} rows, numbers to 2 digits", _compact(Compaction(rows, inline=True)))
        for rows, count in _ROWS
    ),
    *(
        Density(
            f"{where}numbers of {which} alone, to 2 digits",
            _compact(Compaction(rows, inline=True, grids=grids)),
            rows == 1,
        )
        for grids, which in _FEWER_GRIDS
        for rows, where in _ANY_ROWS[:2]
    ),
    *(
        Density(
            f"{where}shapes of matrices and norms of gradients",
            _of_norms(Compaction(rows, inline=True)),
            rows == 1,
        )
        for rows, where in _ANY_ROWS
    ),
    *(
        Density(
            f"each line as one gate, {where}numbers to 2 digits",
            _compact(Compaction(rows, inline=True, lines=True)),
            rows == 1,
        )
        for rows, where in _ANY_ROWS
    ),
    *(
        Density(
            f"each line as one gate, {where}shapes of matrices and norms of gradients",
            _of_norms(Compaction(rows, inline=True, lines=True)),
            rows == 1,
        )
        for rows, where in _ANY_ROWS
    ),
    *(
        Density(
            f"each line as one gate with its leaves, {where}shapes of matrices and norms of gradients",
            _of_norms(Compaction(rows, inline=True, lines=True, tables=True)),
            rows == 1,
        )
        for rows, where in _ANY_ROWS
    ),
)
"""From the richest to the densest."""
