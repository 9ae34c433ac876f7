"""A scheduler has made the learning rate ten times as large or more, and the loss has become worse.

Why it matters: `StepLR(gamma=10)` multiplies where a division was meant, and a factor that is meant for an epoch
grows without bound if `scheduler.step()` runs after every batch. The loss first falls, then climbs or becomes NaN,
which looks like a wrong model.

How to fix it: give the scheduler a factor below 1 (`gamma=0.1`), and call `scheduler.step()` as often as the
schedule counts: once per epoch, or once per batch.

The rule: the rate never falls, ends at 10 times the rate that the optimizer was created with or more, and the loss
is then not finite or more than twice what it was before. Not for schedules with a maximum of their own
(`OneCycleLR`). Where the loss has not become so much worse, or was best at a rate far above the first, as in a
search for a rate, it is a note.

Example:

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=10)      # gamma=0.1
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from itertools import pairwise

from msgspec.structs import replace

from inspector.diagnosis.analysis.learning_rates import TENFOLD, RateRow, initial_rate, rate_rows
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line, number
from inspector.report import Finding
from inspector.report.row_types import SchedulerRow

BEST_WITHIN = 30.0
"""A loss that was lowest at more than this many times the first rate: the rate is being searched for."""
WORSE = 2.0
SMOOTHED = 5
"""Number of rows over which a loss is smoothed, and fewest rows with a grown rate."""

_WITH_MAXIMUM = ("CyclicLR", "OneCycleLR", "SWALR")
"""Schedulers that are given the rate up to which, or to which, they go."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each optimizer."""
    for position, optimizer in enumerate(evidence.optimizers):
        schedulers = optimizer.get("schedulers", ())
        initial = initial_rate(evidence, position)
        if not initial or not schedulers or any(row["class"] in _WITH_MAXIMUM for row in schedulers):
            continue
        rows = rate_rows(evidence, position)
        if not _has_grown(rows, initial):
            continue
        before, after = _losses(rows, initial)
        is_worse = not math.isfinite(after) or (before > 0 and after > WORSE * before)
        if is_worse and _best_rate(rows) <= BEST_WITHIN * initial:
            yield _finding(evidence, position, schedulers[0], rows)
        else:
            yield _note(evidence, position, schedulers[0], rows)


def _has_grown(rows: list[RateRow], initial: float) -> bool:
    """Whether the rate never falls, and was tenfold before the loss stopped being finite, and for some rows."""
    if any(later.rate < earlier.rate for earlier, later in pairwise(rows)):
        return False
    bad = next((row for row in rows if not math.isfinite(row.loss)), None)
    grown = [row for row in rows if row.rate >= TENFOLD * initial]
    return len(grown) >= SMOOTHED and len(grown) < len(rows) and (bad is None or bad in grown)


def _best_rate(rows: list[RateRow]) -> float:
    """The rate at which the smoothed loss was lowest."""
    smoothed = [
        (statistics.median(row.loss for row in rows[start : start + SMOOTHED]), rows[start].rate)
        for start in range(len(rows) - SMOOTHED + 1)
    ]
    return min(smoothed)[1]


def _losses(rows: list[RateRow], initial: float) -> tuple[float, float]:
    """The median loss while the rate was below tenfold, and that of the last rows."""
    before = statistics.median(row.loss for row in rows if row.rate < TENFOLD * initial)
    return before, statistics.median(row.loss for row in rows[-SMOOTHED:])


def _note(evidence: Evidence, position: int, scheduler: SchedulerRow, rows: list[RateRow]) -> Finding:
    """What a search for a rate and a wrong factor have in common: only the script's author can tell them apart."""
    return replace(RULE, severity="note").found(
        f"{_grew(evidence, position, scheduler, rows)}, and never fell",
        "if this is no search for a rate, give the scheduler a factor below 1, or call its step() as often as the "
        "schedule counts",
        at=Place(scheduler["source"]),
        parameters=sorted(evidence.held_by(position)),
        evidence={"initial": initial_rate(evidence, position), "rate": rows[-1].rate},
    )


def _grew(evidence: Evidence, position: int, scheduler: SchedulerRow, rows: list[RateRow]) -> str:
    stepped = at_line(scheduler.get("stepped_at")).replace("(line", "(stepped in line")
    return (
        f"the learning rate of {evidence.optimizer_name(position)} grew from "
        f"{number(initial_rate(evidence, position))} to {number(rows[-1].rate)} by {scheduler['class']}{stepped}"
    )


def _finding(evidence: Evidence, position: int, scheduler: SchedulerRow, rows: list[RateRow]) -> Finding:
    initial = initial_rate(evidence, position)
    before, after = _losses(rows, initial)
    bad = next((row for row in rows if not math.isfinite(row.loss)), None)
    rose = f"the loss went from {number(before)} to {number(after)}"
    if bad is not None:
        rose = f"at step {bad.step:,}, at a rate of {number(bad.rate)}, the loss is not finite"
    found = RULE.found(
        f"{_grew(evidence, position, scheduler, rows)}; {rose}",
        "give the scheduler a factor below 1, or call its step() as often as the schedule counts: once per epoch, "
        "or once per batch",
        at=Place(scheduler["source"]),
        parameters=sorted(evidence.held_by(position)),
        evidence={"initial": initial, "rate": rows[-1].rate, "scheduler": scheduler["class"]},
    )
    if bad is not None:
        found.severity = "error"
    return found


RULE = Rule("growing-learning-rate", "warning", ("timeline", "optimizers"), check, __doc__)
