"""What a compact circuit shows: gates and their operands, outputs with several readers, the passes of a loop."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.row_types import TensorRow
from inspector.graph.topology import Pair
from inspector.graph.values import Value
from inspector.options.choices import Values
from inspector.options.figure_options import without_heat_maps
from inspector.styles.circuit_rows import cut_into_rows
from inspector.styles.composed_gates import composed
from inspector.styles.gates import Gate, gate_of, group_gate
from inspector.styles.grid_text import ValueLook, value_lines_in_grid
from inspector.styles.line_groups import GateGroup, line_groups, sign_of
from inspector.styles.loop_passes import loop_passes
from inspector.styles.loss_group import UNNAMED
from inspector.styles.operands import Operand, operands_of
from inspector.styles.plan import DrawnTensor, StyledText
from inspector.styles.shown_name import shown_name
from inspector.styles.subject import Subject

NAME_SIZE = 18.0
LEAF_FILL = "leaf_header"


Which: TypeAlias = Literal["all", "named", "ends"]


class Compaction(Struct, frozen=True):
    """How a circuit is made smaller.

    rows: the number of rows. inline: whether constants with a name stand in the gates and their values below.
    lines: whether each line of the script is one gate. tables: whether leaves and constants are listed inside
    their gates. maps, grids: which tensors may be heat maps, and which grids of numbers: all, those with a name,
    or leaves, roots and constants. even: whether the passes of a loop are equally wide.
    """

    rows: int = 1
    inline: bool = False
    lines: bool = False
    tables: bool = False
    maps: Which = "all"
    grids: Which = "all"
    even: bool = True


WHOLE = Compaction()


class Circuit(Struct, frozen=True):
    """Lookups.

    gates: function → its gate. users: output → the operands that are this output, in the order of the forward.
    passes: the gates of each pass of a loop, by role. by_name: ids of operands shown by name instead of a wire.
    first: the operands of the first pass that in others come from the pass before. digits: significant digits.
    compaction: how it is made smaller.
    """

    subject: Subject
    gates: dict[str, Gate]
    users: dict[Pair, list[Operand]]
    passes: list[tuple[str, ...]]
    by_name: frozenset[str]
    first: frozenset[str]
    digits: int
    compaction: Compaction

    def leaf(self, operand: Operand) -> str | None:
        """The leaf that an operand is."""
        return self.subject.topology.leaves.get(operand.output[0]) if operand.output else None

    def is_named(self, output: Pair) -> bool:
        """Whether some gates read an output by its name."""
        return any(operand.id in self.by_name for operand in self.users.get(output, ()))

    def is_branched(self, output: Pair) -> bool:
        """Whether several wires lead to an output that is not a leaf."""
        wired = sum(operand.id not in self.by_name for operand in self.users.get(output, ()))
        return wired + self.is_named(output) > 1 and output[0] not in self.subject.topology.leaves


def build_circuit(subject: Subject, digits: int, loss: GateGroup | None, compaction: Compaction) -> Circuit:
    """The circuit of a graph. loss: the functions to draw as one gate."""
    graph, of = subject.graph, subject.topology
    gates: dict[str, Gate] = {}
    found = loop_passes(graph)
    if loss is not None and any(one in loss.members for roles in found for one in roles):
        loss = None  # the loop made it
    groups = _groups(graph, loss, compaction)
    inside = {one for group in groups.values() for one in group.members[1:]}
    for position in reversed(of.order):  # as the forward ran
        identifier = of.ids[position]
        if of.functions[position]["is_leaf"] or identifier in inside:
            continue
        group = groups.get(identifier)
        gates[identifier] = (
            gate_of(graph, identifier, operands_of(graph, identifier), inline=compaction.inline)
            if group is None
            else group_gate(graph, group.name, group.members, inline=compaction.inline)
        )
    gates = composed(graph, gates)
    users: dict[Pair, list[Operand]] = {}
    for gate in gates.values():
        for operand in gate.operands:
            if operand.output is not None:
                users.setdefault(operand.output, []).append(operand)
    whole = _whole_passes(found, gates)
    passes = whole if compaction.rows == 1 else []
    if compaction.rows == 1:
        by_name = _read_by_name(users, passes, of.leaves)
    else:
        by_name = cut_into_rows(gates, compaction.rows, whole)
    return Circuit(subject, gates, users, passes, by_name, _first(gates, passes, of.leaves), digits, compaction)


def _groups(graph: Graph, loss: GateGroup | None, compaction: Compaction) -> dict[str, GateGroup]:
    """The gates that stand for several functions, by the first of these."""
    if loss is not None and compaction.lines and loss.name == UNNAMED:
        loss = replace(loss, name=sign_of(graph, loss.members))
    of_loss = set(loss.members) if loss else set()
    found = line_groups(graph) if compaction.lines else []
    lines = [group for group in found if not of_loss & set(group.members)]
    return {group.members[0]: group for group in (*lines, *([loss] if loss else []))}


def _whole_passes(passes: list[tuple[str, ...]], gates: dict[str, Gate]) -> list[tuple[str, ...]]:
    """The gates of the passes; empty if a function is a gate in some passes only."""
    roles = [role for role in zip(*passes, strict=True) if any(one in gates for one in role)]
    is_whole = all(one in gates for role in roles for one in role)
    return list(zip(*roles, strict=True)) if is_whole else []


def _read_by_name(
    users: dict[Pair, list[Operand]], passes: list[tuple[str, ...]], leaves: dict[str, str]
) -> frozenset[str]:
    """The operands that are outputs from outside of the loop, apart from leaves, that several passes read."""
    number = {one: index for index, roles in enumerate(passes) for one in roles}
    found: set[str] = set()
    for output, operands in users.items():
        readers = {number[operand.user] for operand in operands if operand.user in number}
        if output[0] not in leaves and output[0] not in number and len(readers) > 1:
            found.update(operand.id for operand in operands)
    return frozenset(found)


def _first(gates: dict[str, Gate], passes: list[tuple[str, ...]], leaves: dict[str, str]) -> frozenset[str]:
    """The leaves and constants of the first pass in places where a later pass reads what a gate computed."""
    found = set()
    for role in range(len(passes[0]) if passes else 0):
        places: set[int] = set()
        kept: set[Pair | None] = set()
        for roles in passes[1:]:
            later = [operand for operand in gates[roles[role]].operands if operand.output]
            places.update(one.position for one in later if one.output and one.output[0] in gates)
            kept.update(one.output for one in later if one.output and one.output[0] in leaves)
        own = gates[passes[0][role]].operands
        if any(operand.output is not None and operand.output[0] in gates for operand in own):
            continue  # it hangs on a gate that other wires lead to
        for operand in own:
            is_computed = operand.output is not None and operand.output[0] not in leaves
            if operand.position in places and not is_computed:
                (other,) = (one for one in own if one != operand) if len(own) == 2 else (operand,)
                is_turned = operand.output in kept and other.output not in kept  # `0 * x`, which is x times 0
                found.add(other.id if is_turned else operand.id)
    return frozenset(found)


def output_name(circuit: Circuit, output: Pair) -> str:
    """The name of an output; for one without a name, a letter in brackets."""
    tensor = circuit.subject.topology.outputs.get(output)
    name = shown_name(circuit.subject.graph.tensor(tensor)) if tensor else ""
    if name:
        return name
    unnamed = [other for other in circuit.users if circuit.is_named(other)]
    return f"({chr(ord('a') + unnamed.index(output) % 26)})"


def arrived(circuit: Circuit, output: Pair) -> Value:
    """The gradient of one output of a function."""
    subject = circuit.subject
    return subject.topology.of_output(output, subject.graph[output[0]]["gradient"])


def shape_of(circuit: Circuit, output: Pair) -> list[int]:
    tensor = circuit.subject.topology.outputs.get(output)
    return [] if tensor is None else circuit.subject.graph.tensor(tensor)["shape"]


def value_of_end(circuit: Circuit, tensor: TensorRow, fill: str = "ground") -> tuple[StyledText, ...]:
    """The value of a root or a leaf. fill: behind it."""
    look = ValueLook("value", "medium", fill, circuit.digits, circuit.subject.look.values)
    return value_lines_in_grid(tensor[circuit.subject.moment]["data"], tensor["shape"], look)


def lines_of_output(circuit: Circuit, output: Pair, *, with_name: bool = True) -> tuple[StyledText, ...]:
    """The name, if it has one, and the value of an output."""
    subject, identifier = circuit.subject, circuit.subject.topology.outputs.get(output)
    ink = "quiet" if subject.is_computed(output) else "value"
    look = ValueLook(ink, "medium", "ground", circuit.digits, form_between(circuit, output))
    tensor = None if identifier is None else subject.graph.tensor(identifier)
    value = value_lines_in_grid(subject.data(output), [] if tensor is None else tensor["shape"], look)
    value = value if _is_shown(circuit, output, circuit.compaction.grids) else tuple(map(in_short, value))
    name = shown_name(tensor) if tensor is not None else ""
    return (StyledText(name, "ink", "bold", NAME_SIZE), *value) if name and with_name else value


def in_short(words: StyledText) -> StyledText:
    """A drawn value as its shape, a drawn gradient as its norm."""
    if not isinstance(words, DrawnTensor):
        return words
    shape, _, norm = words.short.partition(" ")
    return StyledText(norm if words.ink == "gradient" and norm else shape, words.ink, words.face, words.size)


def _is_shown(circuit: Circuit, output: Pair, which: Which) -> bool:
    """Whether a tensor between gates is one of these."""
    tensor = circuit.subject.topology.outputs.get(output)
    is_named = tensor is not None and bool(shown_name(circuit.subject.graph.tensor(tensor)))
    return which == "all" or (which == "named" and is_named)


def form_between(circuit: Circuit, output: Pair) -> Values:
    """The form of a tensor between gates."""
    look = circuit.subject.look
    return look.values if _is_shown(circuit, output, circuit.compaction.maps) else without_heat_maps(look).values


def gradient_between(circuit: Circuit, output: Pair, gradient: Value) -> tuple[StyledText, ...]:
    """A gradient of a tensor between gates."""
    lines = gradient_lines(circuit, gradient, shape_of(circuit, output), form_between(circuit, output))
    return lines if _is_shown(circuit, output, circuit.compaction.grids) else tuple(map(in_short, lines))


def gradient_lines(circuit: Circuit, gradient: Value, shape: list[int], form: Values) -> tuple[StyledText, ...]:
    """A gradient after backward; before it, nothing. form: of a tensor."""
    if not circuit.subject.ran or gradient is None or (isinstance(gradient, dict) and "unknown" in gradient):
        return ()
    look = ValueLook("gradient", "medium", "changed", circuit.digits, form)
    return value_lines_in_grid(gradient, shape, look)
