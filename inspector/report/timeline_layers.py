"""The gradients of a timeline by layer, for pictures and the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from inspector.report.timeline import Column, ColumnKind, Timeline


class Series(Struct, frozen=True):
    """Values over the rows of a timeline.

    values: the norm over the columns of the layer, of their medians where a row is several steps; None if nothing
    finite was recorded. broken: whether a value in the row was not finite.
    """

    name: str
    values: list[float | None]
    broken: list[bool]

    @property
    def finite(self) -> list[float]:
        """The values that were recorded."""
        return [value for value in self.values if value is not None]


def columns_of(timeline: Timeline, kind: ColumnKind) -> list[Column]:
    """The columns of one kind."""
    return [column for column in timeline["columns"] if column["kind"] == kind]


def roots_of(timeline: Timeline) -> list[Series]:
    """The roots, one for each optimizer."""
    return [_series(column["name"], [column], timeline) for column in columns_of(timeline, "root")]


def layers_of(timeline: Timeline, most: int) -> list[Series]:
    """The gradient norms by module, in the order of the parameters.

    most: maximum number; more modules are grouped by the beginnings of their paths, and the last ones together.
    """
    columns = columns_of(timeline, "gradient")
    groups = _grouped(columns, {column["name"]: _module(column) for column in columns}, most)
    return [_series(name, members, timeline) for name, members in groups.items()]


def ends_of(timeline: Timeline) -> list[int]:
    """The last step of each row."""
    ends, last = [], 0
    for steps in timeline["rows"]:
        last += steps
        ends.append(last)
    return ends


def _module(column: Column) -> str:
    """`encoder.0` for a column of `encoder.0.weight`; a column of several parameters has the name of a module."""
    name = column["name"]
    return name.rpartition(".")[0] or name if column["parameters"] == [name] else name


def _grouped(columns: Sequence[Column], modules: dict[str, str], most: int) -> dict[str, list[Column]]:
    deepest = max((name.count(".") + 1 for name in modules.values()), default=1)
    groups: dict[str, list[Column]] = {}
    for parts in range(deepest, 0, -1):
        groups = {}
        for column in columns:
            name = ".".join(modules[column["name"]].split(".")[:parts])
            groups.setdefault(name, []).append(column)
        if len(groups) <= most:
            return groups
    names = list(groups)
    kept = {name: groups[name] for name in names[: most - 1]}
    rest = [column for name in names[most - 1 :] for column in groups[name]]
    return {**kept, f"{len(names) - most + 1} others": rest}


def _series(name: str, columns: Sequence[Column], timeline: Timeline) -> Series:
    count = len(timeline["rows"])
    broken = [False] * count
    for column in columns:
        for row, _ in column.get("not_finite", ()):
            broken[row] = True
    return Series(name, [_together([column["middle"][row] for column in columns]) for row in range(count)], broken)


def _together(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(values) == 1:
        return values[0]
    return math.hypot(*known) if known else None
