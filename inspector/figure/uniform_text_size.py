"""Set all text of a plan to one size, so that keys and remarks are as large as the content.

The figure is then scaled down until all its text has the smallest legible size, which fits a fifth more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inspector.styles.plan import MAIN_SIZE, CardRow, Plan, PlannedBox, PlannedWire, StyledText


def with_uniform_text_size(plan: Plan) -> Plan:
    """The plan with no text smaller than what it says."""
    return replace(
        plan,
        boxes=tuple(map(_even_box, plan.boxes)),
        wires=tuple(map(_even_wire, plan.wires)),
        title=_even_words(plan.title),
        notes=_even_words(plan.notes),
        legend=tuple(replace(entry, size=MAIN_SIZE) for entry in plan.legend),
        listing=tuple(replace(line, size=MAIN_SIZE) for line in plan.listing),
    )


def _even_words(lines: Sequence[StyledText]) -> tuple[StyledText, ...]:
    return tuple(replace(words, size=max(words.size, MAIN_SIZE)) for words in lines)


def _even_box(box: PlannedBox) -> PlannedBox:
    return replace(box, texts=_even_words(box.texts), rows=tuple(map(_even_row, box.rows)))


def _even_row(row: CardRow) -> CardRow:
    return replace(row, lines=_even_words(row.lines), key_size=MAIN_SIZE)


def _even_wire(wire: PlannedWire) -> PlannedWire:
    return replace(wire, label=_even_words(wire.label), below=_even_words(wire.below))
