# ruff: noqa: RUF001 (the signs are those of figures)
"""The `record` style: `name | data v | grad g` for every tensor, and a small node per operation (micrograd).

As in micrograd, `grad` of an intermediate tensor is the gradient that reached it; torch keeps it for leaves only.
"""

from __future__ import annotations

from typing import Any

from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow
from inspector.graph.values import Value, is_number
from inspector.styles import title_and_legend
from inspector.styles.operations import inputs_of, operation
from inspector.styles.plan import LegendEntry, Plan, PlannedBox, PlannedShape, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import gradient_text, value_inline
from inspector.typography.number_format import MINUS

_DECIMALS = 4
_DRAWN_CONSTANTS = ("add", "sub", "rsub.Scalar", "mul", "div")
"""Operations whose constant is a separate record; an exponent is part of the operation."""


def plan_record(subject: Subject) -> Plan:
    """The figure: operations between records."""
    of = subject.topology
    boxes: list[PlannedBox] = []
    wires: list[PlannedWire] = []
    for identifier, node in subject.graph.functions():
        if node["is_leaf"]:
            boxes.append(_data_grad_row(subject, of.leaves[identifier], subject.badge(node)))
            continue
        boxes += [*_results(subject, identifier), _operator(subject, identifier, node)]
        wires += _around_operator(subject, identifier)
        if (constant := _constant(subject, identifier)) is not None:
            boxes.append(constant)
            wires.append(PlannedWire(f"{constant.id}.wire", identifier, constant.id, head=subject.head))
    drawn = {box.id for box in boxes}
    boxes += [
        _data_grad_row(subject, root, "") for root in dict.fromkeys(subject.graph.roots) if root not in drawn
    ]
    return Plan(
        moment=subject.moment,
        boxes=tuple(boxes),
        wires=tuple(wires),
        title=title_and_legend.title(subject),
        notes=title_and_legend.notes(subject),
        legend=_legend(subject),
    )


def _results(subject: Subject, identifier: str) -> list[PlannedBox]:
    """The records of a function's outputs; those that are not in the graph share one."""
    made = subject.topology.made.get(identifier, [])
    records = [_data_grad_row(subject, tensor, "") for tensor in made]
    if made and not _unseen_outputs(subject, identifier):
        return records
    node = subject.graph.function(identifier)
    data, gradient = node[subject.moment]["data"], node["gradient"]
    if made:  # one of several outputs: by number
        number = _unseen_outputs(subject, identifier)[0]
        data, gradient = _item(data, number), _item(gradient, number)
    texts = (_data(data, "", ()), _grad(subject, gradient))
    return [*records, PlannedBox(f"{identifier}.data", "record", texts)]


def _unseen_outputs(subject: Subject, identifier: str) -> list[int]:
    """The numbers of the outputs of a function that edges use and that are not in the graph."""
    of = subject.topology
    used = of.arrivals.outputs_entered(of.index[identifier], ())
    return sorted(number for number in used if (identifier, number) not in of.outputs)


def _item(values: Value, number: int) -> Value:
    """The value of one output."""
    return values[number] if isinstance(values, list) and number < len(values) else values


def _data_grad_row(subject: Subject, identifier: str, badge: str) -> PlannedBox:
    tensor = subject.graph.tensor(identifier)
    leaf = tensor["is_leaf"]
    name = subject.name(tensor)
    cells = [StyledText(name, "value" if leaf else "ink", "bold")] if name else []
    cells.append(_data(tensor[subject.moment]["data"], tensor["dtype"], tensor["shape"]))
    cells.append(_grad(subject, tensor[subject.moment]["grad"] if leaf else tensor["gradient"]))
    fill = "leaf_header" if leaf else "ground"
    return PlannedBox(identifier, "record", tuple(cells), ink="value" if leaf else "ink", fill=fill, badge=badge)


def _data(value: Value, dtype: str, shape: Any) -> StyledText:
    return StyledText(f"data {decimals(value) or value_inline(value, dtype, shape)}")


def _grad(subject: Subject, value: Value) -> StyledText:
    if not subject.ran or value is None:
        return StyledText("grad None", "quiet")
    text = decimals(value) or gradient_text(value)
    return StyledText(f"grad {text or '?'}", "gradient", "bold")


def decimals(value: Value) -> str:
    """A real number with four decimals, as in micrograd; empty for other values."""
    if not is_number(value) or isinstance(value, (bool, complex)):
        return ""
    text = f"{value:.{_DECIMALS}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", MINUS)


def _operator(subject: Subject, identifier: str, node: FunctionRow) -> PlannedBox:
    found = operation(subject.graph, identifier)
    inputs = len(inputs_of(subject.graph, identifier))
    symbol = found.symbol
    op = op_of(node["name"])
    if inputs == 1 and found.constant is not None and op in _DRAWN_CONSTANTS:
        symbol = {"add": "+", "mul": "×", "div": "÷"}.get(op, MINUS)
    shape: PlannedShape = "circle" if len(symbol) <= 3 else "pill"
    words = StyledText(symbol, face="bold")
    return PlannedBox(identifier, shape, (words,), fill="function", badge=subject.badge(node))


def _constant(subject: Subject, identifier: str) -> PlannedBox | None:
    """The record of the constant of a function; it has no grad."""
    if op_of(subject.graph.function(identifier)["name"]) not in _DRAWN_CONSTANTS:
        return None
    constant = operation(subject.graph, identifier).constant
    if constant is None:
        return None
    cells = (StyledText(f"data {decimals(constant)}"),)
    return PlannedBox(f"{identifier}.constant", "record", cells)


def _around_operator(subject: Subject, identifier: str) -> list[PlannedWire]:
    """The wires from a function's outputs to it, and from it to the records of its inputs."""
    of = subject.topology
    ink = "gradient" if subject.ran and subject.graph.function(identifier)["step"] is not None else "line"
    made = of.made.get(identifier, [])
    if not made or _unseen_outputs(subject, identifier):
        made = [*made, f"{identifier}.data"]
    wires = [
        PlannedWire(f"{tensor}-{identifier}", tensor, identifier, (), ink, head=subject.head) for tensor in made
    ]
    for target, edge in of.leaving(of.index[identifier]):
        tensor = of.outputs.get((of.ids[target], edge["input_nr"]), f"{of.ids[target]}.data")
        ink = "gradient" if subject.flowed(identifier, edge) else "line"
        wires.append(PlannedWire(f"{identifier}.{edge['slot']}", identifier, tensor, (), ink, head=subject.head))
    return wires


def _legend(subject: Subject) -> tuple[LegendEntry, ...]:
    entries = [*title_and_legend.badge_entry(subject), title_and_legend.arrow_entry(subject)]
    if subject.ran:
        text = "leaf: its .grad; other tensors: their gradient (torch does not keep it)"
        entries.append(LegendEntry("text", text, "gradient", "grad"))
    return tuple(entries)


__all__ = ["decimals", "plan_record"]
