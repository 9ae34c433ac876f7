"""The compact density of the `circuit` style: gates in a line, and at each gate the leaves and constants it reads.

A leaf that several gates read has a chip at each of them with the gradient from there; the sum stands below.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from inspector.graph.row_types import TensorRow
from inspector.graph.topology import Pair
from inspector.graph.values import Value, is_unknown
from inspector.options.figure_options import without_heat_maps
from inspector.styles import title_and_legend
from inspector.styles.circuit_footer import inline_values, matrix_formulas, sums_over_readers
from inspector.styles.circuit_model import (
    LEAF_FILL,
    NAME_SIZE,
    WHOLE,
    Circuit,
    Compaction,
    arrived,
    build_circuit,
    gradient_between,
    gradient_lines,
    in_short,
    lines_of_output,
    output_name,
    value_of_end,
)
from inspector.styles.constant_chips import chip, constant_chip, named_lines
from inspector.styles.gate_tables import gate_table
from inspector.styles.gates import FULL_DIGITS
from inspector.styles.loss_group import loss_group
from inspector.styles.operands import Operand
from inspector.styles.operation_names import sign_lines
from inspector.styles.plan import (
    CircuitPlan,
    Head,
    HeatMap,
    LoopPass,
    Plan,
    PlannedBox,
    PlannedShape,
    PlannedWire,
    SideBySide,
    StyledText,
)
from inspector.styles.shown_name import shown_name
from inspector.styles.subject import Subject
from inspector.styles.value_text import gradient_text

ROOT_SIZE = 20.0
SYMBOL_SIZE = 18.0
_ROUND = 4
"""Maximum number of characters of a sign in a circle; a longer one is in a box."""


def plan_compact_circuit(
    subject: Subject, *, digits: int, grouped: bool = False, compaction: Compaction = WHOLE
) -> CircuitPlan:
    """The figure.

    digits: significant digits of numbers. grouped: whether a loss that one line made is one gate. compaction: how
    it is made smaller.
    """
    circuit = build_circuit(subject, digits, loss_group(subject.graph) if grouped else None, compaction)
    chips = [] if compaction.tables else list(_chips(circuit))
    added = [*_named_ends(circuit), *_first_ends(circuit), *((box, wire) for box, wire, _ in chips)]
    return CircuitPlan(
        moment=subject.moment,
        boxes=(*_gates(circuit), *_roots(circuit), *_dots(circuit), *(box for box, _ in added)),
        wires=(
            *_root_wires(circuit),
            *_wires(circuit),
            *_trunks(circuit),
            *(wire for _, wire in added),
        ),
        hanging={box.id: host for box, _, host in chips},
        title=title_and_legend.title(subject),
        notes=(*title_and_legend.notes(_without_derivatives(subject)), *_reading(circuit, compaction.lines)),
        footer=(*sums_over_readers(circuit), *(inline_values(circuit) if compaction.inline else ())),
        formulas=tuple(matrix_formulas(circuit)),
        passes=tuple(_passes(circuit)),
        even=compaction.even,
    )


def plan_circuit_of_norms(subject: Subject, *, compaction: Compaction) -> Plan:
    """The densest figure: each matrix as its shape, each gradient of a matrix as its norm."""
    subject = replace(subject, look=without_heat_maps(subject.look))
    return plan_compact_circuit(subject, digits=2, grouped=True, compaction=compaction).map_texts(in_short)


def _without_derivatives(subject: Subject) -> Subject:
    """The subject without the definitions of names that only derivatives use."""
    return replace(subject, look=replace(subject.look, derivatives="none"))


def _reading(circuit: Circuit, by_line: bool) -> Iterator[StyledText]:
    text = "values above the wires"
    if circuit.subject.ran:
        is_known = any(not is_unknown(row["gradient"]) for _, row in circuit.subject.graph.functions())
        text += ", gradients below them" if is_known else ", gradients are unknown"
    if any(map(circuit.subject.is_computed, circuit.users)):
        text += "; grey values are computed from the operands"
    grouped = [gate for gate in circuit.gates.values() if gate.members]
    counts = {gate.sign.replace("\n", " "): f"{len(gate.members)} Nodes" for gate in grouped}
    inside = [f"{sign}: {count}" for sign, count in counts.items()]
    inside = ["each line of code is one gate"] if by_line and grouped else inside
    yield StyledText("; ".join([text, *inside]), "quiet")


# ---- gates, roots and what hangs on gates -----------------------------------------------------------------


def _gates(circuit: Circuit) -> Iterator[PlannedBox]:
    long = {identifier for identifier, gate in circuit.gates.items() if len(gate.sign) > _ROUND}
    alike = {one: roles for roles in zip(*circuit.passes, strict=True) for one in roles}
    for identifier, gate in circuit.gates.items():
        words = [StyledText(line, face="bold", size=SYMBOL_SIZE) for line in sign_lines(gate.sign)]
        table = gate_table(circuit, gate) if circuit.compaction.tables else ()
        is_box = table or long & {identifier, *alike.get(identifier, ())}
        shape: PlannedShape = "chip" if is_box else "gate"
        badge = circuit.subject.badge(circuit.subject.graph.function(identifier))
        yield PlannedBox(identifier, shape, (*words, *table), badge=badge)


def _roots(circuit: Circuit) -> Iterator[PlannedBox]:
    """The roots at the ends of their wires: name, value and gradient."""
    for root in dict.fromkeys(circuit.subject.graph.roots):
        tensor = circuit.subject.graph.tensor(root)
        words = StyledText(shown_name(tensor) or "out", "ink", "bold", ROOT_SIZE)
        value, form = value_of_end(circuit, tensor), circuit.subject.look.values
        yield PlannedBox(
            root, "plain", (words, *value, *gradient_lines(circuit, tensor["gradient"], tensor["shape"], form))
        )


def _dots(circuit: Circuit) -> Iterator[PlannedBox]:
    for output in circuit.users:
        if circuit.is_branched(output):
            yield PlannedBox(dot_id(output), "dot", (), fill="ink")


def dot_id(output: Pair) -> str:
    """The id of the dot where an output branches."""
    return f"{output[0]}.dot{output[1] or ''}"


def _chips(circuit: Circuit) -> Iterator[tuple[PlannedBox, PlannedWire, str]]:
    """The leaves and constants, the links to their gates, and these gates."""
    head = circuit.subject.head
    for identifier, gate in circuit.gates.items():
        for operand in gate.operands:
            leaf = circuit.leaf(operand)
            if operand.id in circuit.by_name:
                box = _named_chip(circuit, operand)
                yield box, PlannedWire(operand.id, identifier, box.id, ink="ink", head=head), identifier
            elif operand.id in circuit.first:
                continue
            elif leaf is not None:
                box = _leaf_chip(circuit, operand, leaf)
                yield box, PlannedWire(operand.id, identifier, box.id, ink="ink", head=head), identifier
            elif operand.constant is not None:
                box = constant_chip(operand, circuit.digits, circuit.subject.look.values)
                link = f"{operand.id}-{identifier}"
                yield box, PlannedWire(link, identifier, box.id, ink="quiet", head=head), identifier


def _leaf_chip(circuit: Circuit, operand: Operand, leaf: str) -> PlannedBox:
    """A leaf with its value and gradient; one that several gates read with the gradient from this one."""
    subject = circuit.subject
    tensor = subject.graph.tensor(leaf)
    is_shared = len(circuit.users[operand.output or ("", 0)]) > 1
    value = () if is_shared else value_of_end(circuit, tensor, LEAF_FILL)
    gradient: Value = operand.gradient if is_shared else tensor["gradient"]
    below = gradient_lines(circuit, gradient, tensor["shape"], subject.look.values)
    value, below = _beside(value, below)
    is_first = len(circuit.gates[operand.user].operands) == 1  # before a gate that nothing else enters is room
    digits = FULL_DIGITS if is_first else circuit.digits
    lines = named_lines(shown_name(tensor) or "leaf", value, "value", digits) + below
    lines += _held(subject, tensor)
    name = f"{leaf}.{operand.user}.{operand.id.rpartition('.')[2]}" if is_shared else leaf
    return chip(name, lines, "value", "leaf_header")


def _beside(
    value: tuple[StyledText, ...], gradient: tuple[StyledText, ...]
) -> tuple[tuple[StyledText, ...], tuple[StyledText, ...]]:
    """A value, and the gradient below it, or side by side for two upright heat maps, with their shape once."""
    (one, other) = (*value, *gradient) if len(value) == len(gradient) == 1 else (None, None)
    if not (isinstance(one, HeatMap) and isinstance(other, HeatMap)):
        return value, gradient
    shown = replace(other, caption=other.caption.partition(", ")[2])
    if len(one.tiles[0]) < len(one.tiles[0][0]):
        return value, (shown,)
    return (SideBySide(one.text, one.ink, one.face, one.size, one.short, (one, shown)),), ()


def _named_chip(circuit: Circuit, operand: Operand) -> PlannedBox:
    """The name of an output that every pass reads, and the gradient from this one."""
    output = operand.output or ("", 0)
    words = StyledText(output_name(circuit, output), "ink", "bold")
    lines = (words, *gradient_between(circuit, output, operand.gradient))
    return chip(f"{output[0]}.{operand.user}.{operand.id.rpartition('.')[2]}", lines, "ink", "ground")


def _held(subject: Subject, tensor: TensorRow) -> tuple[StyledText, ...]:
    """`grad 4 → 8` at a leaf that already had a grad: the new gradient is added to it."""
    before, after = tensor["before"]["grad"], tensor["after"]["grad"]
    if not gradient_text(before):
        return ()
    changed = subject.ran and gradient_text(after) != gradient_text(before)
    text = f"{gradient_text(before)} → {gradient_text(after)}" if changed else gradient_text(before)
    return (StyledText(f"grad {text}", "gradient" if changed else "quiet", "bold" if changed else "regular"),)


# ---- wires ------------------------------------------------------------------------------------------------


def _wires(circuit: Circuit) -> Iterator[PlannedWire]:
    """Wires from gate to gate, or to the dot where an output branches."""
    subject = circuit.subject
    for identifier, gate in circuit.gates.items():
        for operand in gate.operands:
            output, is_leaf = operand.output, circuit.leaf(operand) is not None
            if output is None or is_leaf or operand.id in circuit.by_name:
                continue
            gradient = gradient_between(circuit, output, operand.gradient)
            if circuit.is_branched(output):
                head: Head = "source" if subject.pointing == "forward" else "none"
                yield PlannedWire(operand.id, identifier, dot_id(output), (), "ink", head=head, below=gradient)
            else:
                value = lines_of_output(circuit, output)
                yield PlannedWire(
                    operand.id, identifier, output[0], value, "ink", head=subject.head, below=gradient
                )


def _trunks(circuit: Circuit) -> Iterator[PlannedWire]:
    """Wires from a dot to the gate whose output branches there."""
    for output in circuit.users:
        if circuit.is_branched(output):
            gradient = gradient_between(circuit, output, arrived(circuit, output))
            head: Head = "target" if circuit.subject.pointing == "backward" else "none"
            dot, value = dot_id(output), lines_of_output(circuit, output)
            yield PlannedWire(f"{dot}.trunk", dot, output[0], value, "ink", head=head, below=gradient)


def _root_wires(circuit: Circuit) -> Iterator[PlannedWire]:
    graph, subject = circuit.subject.graph, circuit.subject
    for root in dict.fromkeys(graph.roots):
        tensor = graph.tensor(root)
        function = tensor["grad_fn"]
        if function in circuit.gates:
            yield PlannedWire(f"{root}-{function}", root, function, (), "ink", head=subject.head)


def _named_ends(circuit: Circuit) -> Iterator[tuple[PlannedBox, PlannedWire]]:
    """The names at the ends of wires of outputs that other gates read by name."""
    for output in circuit.users:
        if not circuit.is_named(output):
            continue
        words = StyledText(output_name(circuit, output), "ink", "bold", NAME_SIZE)
        end, head = f"{output[0]}.out{output[1] or ''}", circuit.subject.head
        is_branched = circuit.is_branched(output)
        whole = gradient_between(circuit, output, arrived(circuit, output))
        whole = () if is_branched else whole
        value = () if is_branched else lines_of_output(circuit, output, with_name=False)
        target = dot_id(output) if is_branched else output[0]
        yield (
            PlannedBox(end, "plain", (words,)),
            PlannedWire(f"{end}.trunk", end, target, value, "ink", head=head, below=whole),
        )


def _first_ends(circuit: Circuit) -> Iterator[tuple[PlannedBox, PlannedWire]]:
    """What the first pass of a loop starts with, and the wires from there."""
    form = circuit.subject.look.values
    for identifier, gate in circuit.gates.items():
        for operand in gate.operands:
            leaf = circuit.leaf(operand)
            if operand.id not in circuit.first:
                continue
            if leaf is None:
                box = replace(constant_chip(operand, circuit.digits, form), shape="plain")
            else:
                box = _leaf_chip(circuit, operand, leaf)
            ink = "quiet" if leaf is None else "ink"
            link = operand.id if leaf is not None else f"{operand.id}-{identifier}"
            yield box, PlannedWire(link, identifier, box.id, ink=ink, head=circuit.subject.head)


def _passes(circuit: Circuit) -> Iterator[LoopPass]:
    """The gates of each pass, and the dots from which only gates of that pass read, or of it and later ones."""
    number = {one: index for index, roles in enumerate(circuit.passes) for one in roles}
    role = {one: at for roles in circuit.passes for at, one in enumerate(roles)}
    dots: list[dict[object, str]] = [{} for _ in circuit.passes]
    for output, operands in circuit.users.items():
        readers = [number.get(operand.user, -1) for operand in operands if operand.id not in circuit.by_name]
        if circuit.is_branched(output) and min(readers) >= 0:
            key = tuple((role[operand.user], operand.position) for operand in operands)
            dots[min(readers)][key] = dot_id(output)
    keys = list(dict.fromkeys(key for found in dots for key in found))
    for index, roles in enumerate(circuit.passes):
        yield LoopPass(f"pass {index + 1}", (*roles, *(dots[index].get(key, "") for key in keys)))
