"""Functions with operations inside, opened: compiled ones, and reentrant checkpoints. Each is a group of boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.columns import part_of
from inspector.graph.inner_parts import opened
from inspector.graph.node_names import without_number
from inspector.graph.row_types import FunctionRow, InnerOperation, InnerPart, Source
from inspector.styles.plan import SMALL_SIZE, GroupedPlan, Plan, PlannedBox, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import gradient_text
from inspector.typography import one_line, pluralize

STYLES_WITH_GROUPS = ("attributes", "engine")
"""The styles that open functions."""


def with_groups(plan: Plan, subject: Subject) -> Plan:
    """The plan with the operations inside of its functions as boxes; if there are none, or too many, with a ground
    behind what each earlier backward call made.

    The Node itself stays, as the first box of its group: gradients arrive at it. Its wires leave from the
    operations that compute their gradients.
    """
    parts = opened(subject.graph)
    if not parts:
        return _with_layers(plan, subject.graph)
    boxes = [_box(subject, key, position) for key, part in parts.items() for position in range(_count(part))]
    inner = [wire for key, part in parts.items() for wire in _wires(subject, key, part)]
    groups = [
        (key, *(_name(key, position) for position in range(_count(part)))) for key, part in parts.items()
    ]
    wires = (*(_moved(wire, parts) for wire in plan.wires), *inner)
    return _grouped(replace(plan, boxes=(*plan.boxes, *boxes), wires=wires), groups)


def _with_layers(plan: Plan, graph: Graph) -> Plan:
    """The plan with a ground behind the functions that create_graph made in each earlier backward call; unchanged
    if it made all of them."""
    layers: dict[int, list[str]] = {}
    count = 0
    for key, row in graph.functions():
        count += not row["is_leaf"]
        if "made_by" in row and "made_in" in row:
            layers.setdefault(row["made_in"], []).append(key)
    groups = [tuple(keys) for keys in layers.values() if 1 < len(keys) < count]
    return _grouped(plan, groups) if groups else plan


def _grouped(plan: Plan, groups: Sequence[tuple[str, ...]]) -> GroupedPlan:
    return GroupedPlan(
        plan.moment,
        plan.boxes,
        plan.wires,
        plan.hanging,
        plan.title,
        plan.notes,
        plan.legend,
        plan.listing,
        groups=tuple(groups),
    )


def inner_texts(node: FunctionRow) -> list[str]:
    """`9 operations, lines 12 to 15`, without lines if they are unknown or of several files, and the graph break
    before them, or `9 Nodes inside`; nothing for another function."""
    kind = "operation" if "compiled" in node else "Node" if "nested" in node else ""
    if not kind:
        return []
    part = part_of(node)
    if part is None:
        return [f"{kind}s unknown"]
    count = pluralize(_count(part), kind) + (" inside" if kind == "Node" else "")
    lines = _lines([operation["source"] for operation in part["operations"] if operation["source"] is not None])
    texts = [f"{count}, {lines}" if lines else count]
    if "graph_break" in part:
        texts.append(f"after the graph break at line {part['graph_break']['line']}")
    return texts


def made_texts(node: FunctionRow) -> list[str]:
    """`made in call 1 by PowBackward`, for a function that create_graph created; nothing for another one.

    The call comes first: where the text is cut, it is what tells two of them apart.
    """
    made_by, made_in = node.get("made_by"), node.get("made_in")
    if made_by is None or made_in is None:
        return []
    return [f"made in call {made_in} by {one_line(without_number(made_by['name']))}"]


def _lines(sources: Sequence[Source]) -> str:
    """`line 12` or `lines 12 to 15`; an empty text for those of several files, or of none."""
    if len({source["file"] for source in sources}) != 1:
        return ""
    lines = sorted({source["line"] for source in sources})
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"


def _count(part: InnerPart) -> int:
    return len(part["operations"])


def _name(function: str, position: int) -> str:
    """The id of the box of an operation."""
    return f"{function}.operation{position}"


def _box(subject: Subject, function: str, position: int) -> PlannedBox:
    """The box of an operation: its name, where it comes from, and the gradient that arrived, if that is known."""
    host = subject.graph.function(function)
    part = part_of(host)
    assert part is not None
    operation = part["operations"][position]
    words = [StyledText(one_line(without_number(operation["name"])), face="medium")]
    if place := _place(operation):
        words.append(StyledText(one_line(place), "quiet", size=SMALL_SIZE))
    gradient = gradient_text(operation.get("gradient")) if subject.badge(host) else ""
    if gradient:
        words.append(StyledText(gradient, "gradient", size=SMALL_SIZE))
    return PlannedBox(_name(function, position), "pill", tuple(words))


def _place(operation: InnerOperation) -> str:
    """`fc1, line 9`; for an AccumulateGrad the name of its leaf."""
    module, source = operation["module"], operation["source"]
    of = [operation.get("leaf"), module if isinstance(module, str) else None]
    line = [] if source is None else [f"line {source['line']}"]
    return ", ".join([*(text for text in of if text), *line])


def _wires(subject: Subject, function: str, part: InnerPart) -> Iterator[PlannedWire]:
    """From the Node to the operations that use its gradient, and between operations. What flows is unknown."""
    for position in part["receives"]:
        target = _name(function, position)
        yield PlannedWire(f"{function}.to{position}", function, target, head=subject.head)
    for position, operation in enumerate(part["operations"]):
        for source in operation["inputs"]:
            target, start = _name(function, position), _name(function, source)
            yield PlannedWire(f"{start}.{position}", start, target, head=subject.head)


def _moved(wire: PlannedWire, parts: dict[str, InnerPart]) -> PlannedWire:
    """A wire from a compiled function, as one from the operation that computes its gradient."""
    slot = wire.id.removeprefix(f"{wire.source}.")
    returns = parts[wire.source]["returns"] if wire.source in parts and slot.isdecimal() else []
    position = returns[int(slot)] if slot.isdecimal() and int(slot) < len(returns) else None
    return wire if position is None else replace(wire, source=_name(wire.source, position))
