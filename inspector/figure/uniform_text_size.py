"""Set all text of a plan to one size, so that keys and remarks are as large as the content.

The figure can then be scaled down until all text has the smallest legible size, so that a fifth more fits.
"""

from __future__ import annotations

from msgspec.structs import replace

from inspector.styles.plan import MAIN_SIZE, Plan, StyledText


def with_uniform_text_size(plan: Plan) -> Plan:
    """The plan with keys, notes, legend and listing no smaller than the names and values."""
    plan = plan.map_texts(_enlarged)
    return replace(
        plan,
        boxes=tuple(
            replace(box, rows=tuple(replace(row, key_size=MAIN_SIZE) for row in box.rows)) for box in plan.boxes
        ),
        title=tuple(map(_enlarged, plan.title)),
        legend=tuple(replace(entry, size=MAIN_SIZE) for entry in plan.legend),
        listing=tuple(replace(line, size=MAIN_SIZE) for line in plan.listing),
    )


def _enlarged(words: StyledText) -> StyledText:
    return replace(words, size=max(words.size, MAIN_SIZE))
