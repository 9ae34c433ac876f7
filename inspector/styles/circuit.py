"""The `circuit` style: gates and wires, with values above and gradients below a wire (Stanford's CS231n).

Constants are part of their gate. A tensor used by several gates branches at a dot: each branch shows its
contribution, and the wire before the dot shows the sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.row_types import NextEdge
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Pair
from inspector.graph.values import Value
from inspector.styles import title_and_legend
from inspector.styles.composed_gates import composed, has_identities
from inspector.styles.constant_chips import constant_chip
from inspector.styles.gates import FULL_DIGITS, Gate, gate_of
from inspector.styles.grid_text import ValueLook, beside_text
from inspector.styles.operands import Operand, operands_of
from inspector.styles.operation_names import sign_lines
from inspector.styles.operations import operation
from inspector.styles.plan import Head, LegendEntry, Plan, PlannedBox, PlannedShape, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import (
    derivative_text,
    edge_text,
    gradient_text,
    product_text,
    symbol_text,
    value_inline,
)
from inspector.typography import one_line

NAME_SIZE = 24.0
SYMBOL_SIZE = 21.0
_LONG_SYMBOL = 6
_LONG_PRODUCT = 14
"""Maximum number of characters; longer texts would make the wires too long."""
_ROUND = 4
"""Maximum number of characters of a symbol in a circle; a longer one is in a box."""


def plan_circuit(subject: Subject) -> Plan:
    """The figure: operations as gates, leaves and roots as names."""
    gates = _gates_of(subject.graph)
    circuit = _Circuit(subject, subject.topology.leaves, gates, dict.fromkeys(_branched(gates)))
    held = [box for box in (_held(subject, leaf) for leaf in circuit.leaves.values()) if box is not None]
    constants = list(_constants(circuit))
    dots = map(_dot, circuit.branched)
    return Plan(
        moment=subject.moment,
        boxes=(*_gates(circuit), *_names(circuit), *dots, *held, *(box for box, _ in constants)),
        wires=(*_root_wires(circuit), *_edges(circuit), *_trunks(circuit), *(wire for _, wire in constants)),
        hanging={
            **{box.id: box.id.removesuffix(".grad") for box in held},
            **{box.id: wire.source for box, wire in constants},
        },
        title=title_and_legend.title(subject),
        notes=title_and_legend.notes(subject),
        legend=_legend(circuit),
    )


class _Circuit(Struct, frozen=True):
    """Lookups for a circuit. leaves: AccumulateGrad → its leaf. gates: function → its gate. branched: the outputs
    (function, number) that several gates use."""

    subject: Subject
    leaves: dict[str, str]
    gates: dict[str, Gate]
    branched: dict[Pair, None]


def _gates_of(graph: Graph) -> dict[str, Gate]:
    """The gates, in walk order. In a graph of a derivative, Nodes that only multiply by 1 are parts of others."""
    functions = [key for key, node in graph.functions() if not node["is_leaf"]]
    gates = {key: gate_of(graph, key, operands_of(graph, key)) for key in functions}
    return composed(graph, gates) if has_identities(graph) else gates


def _branched(gates: dict[str, Gate]) -> list[Pair]:
    outputs = Counter(operand.output for gate in gates.values() for operand in _inputs(gate))
    return [output for output, count in outputs.items() if count > 1 and output is not None]


def _inputs(gate: Gate) -> list[Operand]:
    """The operands that get a gradient, by slot."""
    return sorted((one for one in gate.operands if one.edge), key=lambda one: one.edge["slot"] if one.edge else 0)


# ---- gates and names --------------------------------------------------------------------------------------


def _gates(circuit: _Circuit) -> list[PlannedBox]:
    gates, subject = [], circuit.subject
    for identifier, gate in circuit.gates.items():
        words = tuple(StyledText(line, face="bold", size=SYMBOL_SIZE) for line in sign_lines(gate.sign))
        shape: PlannedShape = "circle" if len(gate.sign) <= _ROUND else "box"
        badge = subject.badge(subject.graph.function(identifier))
        gates.append(PlannedBox(identifier, shape, words, badge=badge))
    return gates


def _constants(circuit: _Circuit) -> Iterator[tuple[PlannedBox, PlannedWire]]:
    """The constants that do not stand in their gates, and the links to these."""
    subject = circuit.subject
    for identifier, gate in circuit.gates.items():
        for operand in gate.operands:
            if operand.constant is not None:
                box = constant_chip(operand, FULL_DIGITS, subject.look.values)
                link = f"{operand.id}-{identifier}"
                yield box, PlannedWire(link, identifier, box.id, ink="quiet", head=subject.head)


def _names(circuit: _Circuit) -> list[PlannedBox]:
    """The leaves and roots, as names at the ends of wires."""
    ends = dict.fromkeys([*circuit.leaves.values(), *circuit.subject.graph.roots])
    return [_name(circuit.subject, identifier) for identifier in ends]


def _name(subject: Subject, identifier: str) -> PlannedBox:
    tensor = subject.graph.tensor(identifier)
    words = StyledText(one_line(numbered_name(tensor) or "") or "out", "ink", "bold", NAME_SIZE)
    return PlannedBox(identifier, "name", (words,))


def _held(subject: Subject, leaf: str) -> PlannedBox | None:
    """`grad 4 → 8` at a leaf that already had a grad: the new gradient is added to it."""
    tensor = subject.graph[leaf]
    before, after = tensor["before"]["grad"], tensor["after"]["grad"]
    if not gradient_text(before):
        return None
    changed = subject.ran and gradient_text(after) != gradient_text(before)
    text = f"{gradient_text(before)} → {gradient_text(after)}" if changed else gradient_text(before)
    words = StyledText(f"grad {text}", "gradient" if changed else "quiet", "bold" if changed else "regular")
    return PlannedBox(f"{leaf}.grad", "plain", (words,))


def _dot(output: Pair) -> PlannedBox:
    return PlannedBox(_dot_id(output), "dot", (), fill="ink")


def _dot_id(output: Pair) -> str:
    return f"{output[0]}.dot{output[1] or ''}"


# ---- wires ------------------------------------------------------------------------------------------------


def _edges(circuit: _Circuit) -> list[PlannedWire]:
    """Wires from gate to gate or leaf, with value and gradient; branches of a dot, with derivative and product."""
    subject, wires = circuit.subject, []
    inputs = [(source, operand) for source, gate in circuit.gates.items() for operand in _inputs(gate)]
    for source, operand in inputs:
        identifier, output, edge = operand.id, operand.output, operand.edge
        assert output is not None and edge is not None
        flowed = subject.flowed(source, edge)
        if output in circuit.branched:
            above, below = _branch_texts(subject, source, edge) if flowed else ((), ())
            head: Head = "source" if subject.pointing == "forward" else "none"
            wires.append(PlannedWire(identifier, source, _dot_id(output), above, "ink", head=head, below=below))
        else:
            below = _product(subject, source, edge) if flowed else ()
            end, value = circuit.leaves.get(output[0], output[0]), _value(circuit, output)
            wires.append(PlannedWire(identifier, source, end, value, "ink", head=subject.head, below=below))
    return wires


def _product(subject: Subject, source: str, edge: NextEdge) -> tuple[StyledText, ...]:
    """`2x · 1 = 4`; a long product has its own line, and a long derivative is written as a number."""
    gradient, local, upstream = edge.get("gradient"), edge.get("local"), subject.graph[source]["gradient"]
    if (drawn := _drawn_gradient(subject, gradient)) is not None:
        return (drawn,)
    wanted = subject.look.derivatives or "both"
    if wanted == "both" and local and "symbol" in local and len(symbol_text(local["symbol"] or "")) > _LONG_SYMBOL:
        wanted = "numbers"
    text = edge_text(gradient, local, upstream, wanted)
    product, equals, result = text.rpartition(" = ")
    if len(text) > _LONG_PRODUCT and equals:
        return *_gradient(product), *_gradient(f"= {result}")
    return _gradient(text)


def _branch_texts(subject: Subject, source: str, edge: NextEdge) -> tuple[tuple[StyledText, ...], ...]:
    """`v = 2` and `2 · 1 = 2`."""
    wanted = subject.look.derivatives or "both"
    gradient, local, upstream = edge.get("gradient"), edge.get("local"), subject.graph[source]["gradient"]
    if (drawn := _drawn_gradient(subject, gradient)) is not None:
        return (), (drawn,)
    if wanted == "both":
        name = derivative_text(gradient, local, upstream)
        above = (StyledText(name),) if " = " in name else ()
        return above, _gradient(product_text(gradient, local, upstream))
    return (), _gradient(edge_text(gradient, local, upstream, wanted))


def _trunks(circuit: _Circuit) -> list[PlannedWire]:
    """Wires from a dot to the gate or leaf whose output branches there, with the sum over the branches."""
    subject, wires = circuit.subject, []
    for output in circuit.branched:
        function = output[0]
        below = _whole_gradient(subject, _arrived(subject, output), subject.sum_text(function))
        wires.append(
            PlannedWire(
                f"{_dot_id(output)}.trunk",
                _dot_id(output),
                circuit.leaves.get(function, function),
                _value(circuit, output),
                "ink",
                head="target" if subject.pointing == "backward" else "none",
                below=below,
            )
        )
    return wires


def _root_wires(circuit: _Circuit) -> list[PlannedWire]:
    """Wires from the name of each root to the gate that created it."""
    subject, wires = circuit.subject, []
    for root in dict.fromkeys(subject.graph.roots):
        tensor = subject.graph.tensor(root)
        function = tensor["grad_fn"]
        if function is not None and function in subject.graph.rows:
            value = _value(circuit, (function, tensor.get("output_nr", 0)), is_root=True)
            identifier, below = f"{root}-{function}", _whole_gradient(subject, tensor["gradient"])
            wires.append(PlannedWire(identifier, root, function, value, "ink", head=subject.head, below=below))
    return wires


def _arrived(subject: Subject, output: Pair) -> Value:
    """The gradient of one output of a function."""
    return subject.topology.of_output(output, subject.graph[output[0]]["gradient"])


def _value(circuit: _Circuit, output: Pair, *, is_root: bool = False) -> tuple[StyledText, ...]:
    """The value on a wire, preceded by the name if it is a named tensor between two gates."""
    subject, data = circuit.subject, circuit.subject.data(output)
    identifier = subject.topology.outputs.get(output)
    if identifier is None:
        ink = "quiet" if subject.is_computed(output) else "value"
        drawn = beside_text(data, _look(subject, ink), 1)
        return (drawn or StyledText(value_inline(data, "", ()), ink, "medium"),)
    tensor = subject.graph.tensor(identifier)
    between = tensor["name"] and not tensor["is_leaf"] and not is_root
    name = one_line(numbered_name(tensor) or "") if between else ""
    if (drawn := beside_text(data, _look(subject, "value"), 1)) is not None:
        return (StyledText(name, "value", "medium"), drawn) if name else (drawn,)
    text = value_inline(data, tensor["dtype"], tensor["shape"])
    return (StyledText(f"{name} = {text}" if name else text, "value", "medium"),)


def _look(subject: Subject, ink: str) -> ValueLook:
    return ValueLook(ink, "medium", "ground", FULL_DIGITS, subject.look.values)


def _drawn_gradient(subject: Subject, gradient: Value) -> StyledText | None:
    """The gradient as a grid or a heat map; None for one that is text."""
    return beside_text(gradient, _look(subject, "gradient"), 1)


def _whole_gradient(subject: Subject, gradient: Value, total: str = "") -> tuple[StyledText, ...]:
    """The gradient of an output after backward. total: the sum that it is, if that is known."""
    if not subject.ran:
        return ()
    drawn = _drawn_gradient(subject, gradient)
    return _gradient(total or gradient_text(gradient)) if drawn is None else (drawn,)


def _gradient(text: str) -> tuple[StyledText, ...]:
    return (StyledText(text, "gradient", "bold"),) if text else ()


# ---- around the graph -------------------------------------------------------------------------------------


def _legend(circuit: _Circuit) -> tuple[LegendEntry, ...]:
    subject = circuit.subject
    entries = [*title_and_legend.badge_entry(subject), title_and_legend.arrow_entry(subject)]
    entries.append(LegendEntry("text", "value (above the wire)", "value", "2"))
    if subject.ran:
        text = "gradient (below the wire) = local derivative · upstream gradient"
        entries.append(LegendEntry("text", text, "gradient", "4"))
    if any(operation(subject.graph, key).computed for key, _ in subject.graph.functions()):
        entries.append(LegendEntry("text", "constant, computed from input and output", "ink", "+c"))
    if any(subject.is_computed((key, 0)) for key in circuit.gates):
        entries.append(LegendEntry("text", "value, computed from the operands of the gate", "quiet", "2"))
    return tuple(entries)
