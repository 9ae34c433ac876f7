"""Find the Node or the module at which a gradient goes wrong, from the norms of the steps."""

from __future__ import annotations

import math
import statistics
from collections import deque

from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.recording.flight.block import ModuleNorms
from inspector.recording.flight.node_layout import NodeLayout
from inspector.recording.flight.node_norms import NodeNorms
from inspector.recording.flight.output_norms import numbers_of
from inspector.recording.flight.triggers import TIMES_MEDIAN
from inspector.report.timeline import NOT_FINITE, NodePlace, SampleRows, Trigger
from inspector.tensor_stats import outstanding_rows

_KEPT = 64
"""Number of calls that are kept."""
_LEAST = 8
"""Minimum number of earlier norms that a norm is compared with."""


class Origins:
    """The norms of the last steps that were looked into."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, NodeNorms, dict[int, float]]] = deque(maxlen=_KEPT)

    def add(self, step: int, measured: NodeNorms) -> ModuleNorms:
        """Note a step. Returns the norms at the outputs of each module, as far as they were reached."""
        norms = dict(zip(measured.order, measured.norms.tolist(), strict=True))
        self._kept.append((step, measured, norms))
        found = {}
        for module, positions in measured.layout.modules.items():
            known = [norms[position] for position in positions if position in norms]
            if known:
                found[module] = math.hypot(*known)
        return ModuleNorms(found, numbers_of(measured.outputs))

    def name(self, trigger: Trigger) -> None:
        """Write into a trigger where its gradients went wrong, and which samples stand out, if its step was looked
        into."""
        if trigger["kind"] not in ("gradient_not_finite", "root_not_finite", "spike"):
            return
        is_of_root = trigger["kind"] == "root_not_finite"
        for entry in [entry for entry in self._kept if entry[0] == trigger["step"]]:
            place = None if is_of_root or "node" in trigger else self._origin(trigger, *entry)
            if place is not None:
                trigger["node"] = place
            rows = None if "rows" in trigger else _rows(entry[1])
            if rows is not None:
                trigger["rows"] = rows

    def _origin(
        self, trigger: Trigger, step: int, measured: NodeNorms, norms: dict[int, float]
    ) -> NodePlace | None:
        layout = measured.layout
        if trigger["kind"] in NOT_FINITE:
            bad = {position for position, norm in norms.items() if not math.isfinite(norm)}
        else:
            usual = self._usual(layout, step)
            bad = {
                position
                for position, norm in norms.items()
                if norm > TIMES_MEDIAN * usual.get(position, math.inf) > 0
            }
        if measured.depth == "nodes":
            return _first_node(layout, measured.order, bad)
        return _first_module(layout, measured.order, bad)

    def _usual(self, layout: NodeLayout, step: int) -> dict[int, float]:
        """The median norm at each Node in the steps before."""
        before: dict[int, list[float]] = {}
        for other, measured, norms in self._kept:
            if other < step and measured.layout is layout:
                for position, norm in norms.items():
                    if math.isfinite(norm):
                        before.setdefault(position, []).append(norm)
        return {position: statistics.median(its) for position, its in before.items() if len(its) >= _LEAST}


def _rows(measured: NodeNorms) -> SampleRows | None:
    """The samples that stand out in a call, if some do and the rows were measured."""
    rows = None if measured.rows is None else outstanding_rows(measured.rows.tolist())
    if rows is None or measured.layout.rows_at is None:
        return None
    meaning = measured.layout.rows_at[1]
    return {**rows, "tensor": None if meaning.sizes else meaning.tensor}


def _first_node(layout: NodeLayout, order: list[int], bad: set[int]) -> NodePlace | None:
    """The Node that sends to the first with a bad gradient, in the order of backward. Where several do, those that
    only pass gradients on are not meant; None if several are left."""
    first = next((position for position in order if position in bad), None)
    if first is None:
        return None
    ran = order[: order.index(first)]
    senders = [position for position in ran if first in layout.targets[position]]
    if len(senders) > 1:
        senders = [position for position in senders if not is_kind(layout.names[position], NodeKind.PASSES)]
    return layout.places[senders[0]] if len(senders) == 1 else None


def _first_module(layout: NodeLayout, order: list[int], bad: set[int]) -> NodePlace | None:
    """The last module whose output has a good gradient, before the first that has a bad one."""
    of_position = {position: module for module, its in layout.modules.items() for position in its}
    before: str | None = None
    for position in order:
        if position in bad:
            return None if before is None else {"name": None, "module": before, "source": None}
        before = of_position.get(position, before)
    return None
