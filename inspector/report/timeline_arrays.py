"""The columns of a timeline as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inspector.report.timeline import Column, ColumnKind, Timeline
from inspector.report.timeline_layers import columns_of, ends_of

Array: TypeAlias = "NDArray[np.float64] | NDArray[np.int64]"


def arrays_of(timeline: Timeline) -> dict[str, Array]:
    """The columns by name, with one value for each row: `step` (the last of the row), `loss`, `learning rate`,
    `gradient/NAME`, and as far as they were recorded `update/NAME` (what the step added), `module/NAME` (the
    gradient at its output) and `output/NAME` (what it returned). With several optimizers,
    `loss/NAME` and `learning rate/NAME`. NaN: unknown or not finite."""
    found: dict[str, Array] = {"step": np.array(ends_of(timeline), dtype=np.int64)}
    for kind, name in (("root", "loss"), ("learning_rate", "learning rate")):
        columns = columns_of(timeline, "root" if kind == "root" else "learning_rate")
        for column in columns:
            found[name if len(columns) == 1 else _unused(f"{name}/{column['name']}", found)] = _values(column)
    kinds: tuple[ColumnKind, ...] = ("gradient", "update", "module", "output")
    for of_norms in kinds:
        for column in columns_of(timeline, of_norms):
            found[_unused(f"{of_norms}/{column['name']}", found)] = _values(column)
    return found


def _values(column: Column) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in column["middle"]], dtype=np.float64)


def _unused(name: str, found: Mapping[str, Array]) -> str:
    """The name, with a number if it is taken."""
    number, free = 1, name
    while free in found:
        number += 1
        free = f"{name} ({number})"
    return free
