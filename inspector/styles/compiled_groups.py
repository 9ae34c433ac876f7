"""The Nodes of compiled functions, opened: each is a group of boxes, one for each operation of its backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from inspector.graph.compiled_parts import opened, part_of
from inspector.graph.row_types import CompiledOperation, CompiledPart, FunctionRow, Source
from inspector.styles.plan import SMALL_SIZE, GroupedPlan, Plan, PlannedBox, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import plain_text
from inspector.typography import pluralize

STYLES_WITH_GROUPS = ("attributes", "engine")
"""The styles that open compiled functions."""


def with_groups(plan: Plan, subject: Subject) -> Plan:
    """The plan with the operations of its compiled functions as boxes; unchanged if there are none, or too many.

    The Node itself stays, as the first box of its group: gradients arrive at it. Its wires leave from the
    operations that compute their gradients.
    """
    parts = opened(subject.graph)
    if not parts:
        return plan
    boxes = [_box(key, position, part) for key, part in parts.items() for position in range(_count(part))]
    inner = [wire for key, part in parts.items() for wire in _wires(subject, key, part)]
    groups = [
        (key, *(_name(key, position) for position in range(_count(part)))) for key, part in parts.items()
    ]
    return GroupedPlan(
        plan.moment,
        (*plan.boxes, *boxes),
        (*(_moved(wire, parts) for wire in plan.wires), *inner),
        plan.hanging,
        plan.title,
        plan.notes,
        plan.legend,
        plan.listing,
        groups=tuple(groups),
    )


def compiled_texts(node: FunctionRow) -> list[str]:
    """`9 operations, lines 12 to 15`, without lines if they are unknown or of several files, and the graph break
    before them; nothing for a function that is not compiled."""
    if "compiled" not in node:
        return []
    part = part_of(node)
    if part is None:
        return ["operations unknown"]
    count = pluralize(_count(part), "operation")
    lines = _lines([operation["source"] for operation in part["operations"] if operation["source"] is not None])
    texts = [f"{count}, {lines}" if lines else count]
    if "graph_break" in part:
        texts.append(f"after the graph break at line {part['graph_break']['line']}")
    return texts


def _lines(sources: Sequence[Source]) -> str:
    """`line 12` or `lines 12 to 15`; an empty text for those of several files, or of none."""
    if len({source["file"] for source in sources}) != 1:
        return ""
    lines = sorted({source["line"] for source in sources})
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"


def _count(part: CompiledPart) -> int:
    return len(part["operations"])


def _name(function: str, position: int) -> str:
    """The id of the box of an operation."""
    return f"{function}.operation{position}"


def _box(function: str, position: int, part: CompiledPart) -> PlannedBox:
    operation = part["operations"][position]
    words = [StyledText(plain_text(operation["name"]), face="medium")]
    if place := _place(operation):
        words.append(StyledText(plain_text(place), "quiet", size=SMALL_SIZE))
    return PlannedBox(_name(function, position), "pill", tuple(words))


def _place(operation: CompiledOperation) -> str:
    """`fc1, line 9`"""
    source = operation["source"]
    line = [] if source is None else [f"line {source['line']}"]
    return ", ".join([*([operation["module"]] if operation["module"] else []), *line])


def _wires(subject: Subject, function: str, part: CompiledPart) -> Iterator[PlannedWire]:
    """From the Node to the operations that use its gradient, and between operations. What flows is unknown."""
    for position in part["receives"]:
        target = _name(function, position)
        yield PlannedWire(f"{function}.to{position}", function, target, head=subject.head)
    for position, operation in enumerate(part["operations"]):
        for source in operation["inputs"]:
            target, start = _name(function, position), _name(function, source)
            yield PlannedWire(f"{start}.{position}", start, target, head=subject.head)


def _moved(wire: PlannedWire, parts: dict[str, CompiledPart]) -> PlannedWire:
    """A wire from a compiled function, as one from the operation that computes its gradient."""
    slot = wire.id.removeprefix(f"{wire.source}.")
    returns = parts[wire.source]["returns"] if wire.source in parts and slot.isdecimal() else []
    position = returns[int(slot)] if slot.isdecimal() and int(slot) < len(returns) else None
    return wire if position is None else replace(wire, source=_name(wire.source, position))
