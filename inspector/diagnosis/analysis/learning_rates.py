"""The learning rates of an optimizer over the steps of a run."""

from __future__ import annotations

import math
from typing import NamedTuple

from inspector.diagnosis.evidence import Evidence
from inspector.report.timeline import Column, ColumnKind, Timeline

TENFOLD = 10.0 * (1 - 1e-6)
"""A rate that has grown to this many times the first; three factors of 10 ** (1 / 3) are just below 10."""


class RateRow(NamedTuple):
    """The learning rate and the loss of a row of the timeline, and its first step."""

    rate: float
    loss: float
    step: int


def initial_rate(evidence: Evidence, optimizer: int) -> float:
    """The largest rate that the scheduler of an optimizer found in a group; 0 without a scheduler."""
    groups = evidence.optimizers[optimizer]["groups"]
    return max((group["options"].get("initial_lr", 0.0) for group in groups), default=0.0)


def rate_rows(evidence: Evidence, optimizer: int) -> list[RateRow]:
    """The rows with a known rate, in order. A loss that was not finite is infinite here."""
    timeline, name = evidence.report.timeline, evidence.optimizer_name(optimizer)
    if timeline is None:
        return []
    rates, losses = (_column(timeline, kind, name) for kind in ("learning_rate", "root"))
    if rates is None or losses is None:
        return []
    bad = {row for row, _ in losses.get("not_finite", ())}
    rows, step = [], 1
    for position, size in enumerate(timeline["rows"]):
        rate, loss = rates["middle"][position], losses["middle"][position]
        if rate is not None and (loss is not None or position in bad):
            rows.append(RateRow(rate, math.inf if position in bad or loss is None else loss, step))
        step += size
    return rows


def had_a_rate(evidence: Evidence, optimizer: int) -> bool:
    """Whether the learning rate of an optimizer was above 0 in some step of the timeline."""
    timeline = evidence.report.timeline
    column = None if timeline is None else _column(timeline, "learning_rate", evidence.optimizer_name(optimizer))
    return column is not None and any(rate for rate in column.get("high", column["middle"]))


def has_grown_at(evidence: Evidence, step: int) -> bool:
    """Whether a scheduler had made the rate of an optimizer tenfold at a step."""
    for number in range(len(evidence.optimizers)):
        before = [row.rate for row in rate_rows(evidence, number) if row.step <= step]
        initial = initial_rate(evidence, number)
        if before and initial and before[-1] >= TENFOLD * initial:
            return True
    return False


def _column(timeline: Timeline, kind: ColumnKind, optimizer: str) -> Column | None:
    found = [column for column in timeline["columns"] if column["kind"] == kind and column["name"] == optimizer]
    return found[0] if len(found) == 1 else None
