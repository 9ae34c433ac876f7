"""The row of a gradient that carries most of it, or the rows that are not finite, as a clause of a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.batch_rows import RowMeaning, meaning_of_rows
from inspector.graph.row_types import GradientRows
from inspector.report import Finding
from inspector.report.timeline import Trigger

_NAMED = 4
"""So many rows that are not finite are named."""


def add_rows(
    finding: Finding, call: BackwardView, nodes: Iterable[str], key: Literal["largest", "not_finite"]
) -> None:
    """Say in a finding which rows stand out in the gradient at the first Node, from these on towards the leaves,
    where some do. Nothing changes if none do. key: whether they carry most of it, or are not finite."""
    for node in call.towards_leaves(nodes):
        if (rows := call.functions[node].get("rows")) is not None and key in rows:
            _describe(finding, rows, meaning_of_rows(call.graph, node, rows["count"]))
            return


def add_samples(finding: Finding, trigger: Trigger) -> None:
    """Say in a finding which samples stand out in the step of a trigger, if some do."""
    if (rows := trigger.get("rows")) is not None:
        _describe(finding, rows, RowMeaning(rows["tensor"], True))


def _describe(finding: Finding, rows: GradientRows, meaning: RowMeaning) -> None:
    """Add a clause about rows to the message of a finding, and their indices to its evidence."""
    finding.message += f"; {_clause(rows, meaning)}"
    finding.evidence |= {key: value for key, value in rows.items() if key != "more"}


def _clause(rows: GradientRows, meaning: RowMeaning) -> str:
    """`sample 17 of 64 (x[17], counted from 0) carries 99.98% of the gradient's square`."""
    found = rows.get("not_finite", [])
    indices = found[:_NAMED] or [rows["largest"]]
    noun = ("sample" if meaning.are_samples else "row") + "s" * (len(indices) > 1)
    more = len(found[_NAMED:]) + rows.get("more", 0)
    listed = ", ".join(map(str, indices)) + (f" and {more:,} more" if more else "")
    place = "" if meaning.tensor is None else f"{meaning.tensor}[{meaning.index(indices[0])}], "
    if found:
        what = "are the first that are not finite" if len(indices) > 1 else "is the only one that is not finite"
    else:
        what = f"carries {_percent(rows['share'])} of the gradient's square"
    return f"{noun} {listed} of {rows['count']:,} ({place}counted from 0) {what}"


def _percent(share: float) -> str:
    """Rounded down, since 100% would say that the others have none."""
    return "100%" if share == 1 else f"{int(share * 1e4) / 1e2:g}%"
