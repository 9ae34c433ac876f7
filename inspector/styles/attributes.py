"""The `attributes` style: tensor cards with data, grad, grad_fn, is_leaf, requires_grad beside their functions."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from inspector.graph import Graph, is_unknown
from inspector.graph.node_names import without_number
from inspector.graph.row_types import FunctionRow, NextEdge, TensorRow
from inspector.graph.values import Value, is_number, is_summary
from inspector.styles import title_and_legend
from inspector.styles.gates import FULL_DIGITS, whole_sign
from inspector.styles.grid_text import ValueLook, beside_text
from inspector.styles.inner_groups import inner_texts, made_texts, with_groups
from inspector.styles.operands import operands_of
from inspector.styles.plan import (
    CODE_SIZE,
    SMALL_SIZE,
    TITLE_SIZE,
    CardRow,
    DrawnTensor,
    HeatMap,
    LegendEntry,
    Plan,
    PlannedBox,
    PlannedWire,
    StyledText,
)
from inspector.styles.shown_name import shown_name
from inspector.styles.subject import Subject
from inspector.styles.value_text import UNKNOWN, matrix_rows, norm_in_bars, value_inline, value_lines
from inspector.typography import one_line, shape_text

NOT_A_LEAF = "None (not a leaf)"
ARROW = " → "
_LEAST_SHARED = 4
"""Minimum number of functions that use a leaf for a large graph to show it as chips."""


def plan_attributes(subject: Subject) -> Plan:
    """The figure: functions as pills, and named tensors as cards attached to them.

    The detail `beginner` shows operations instead of functions, and hides AccumulateGrad: gradients flow into the
    leaf itself. `expert` shows the full names of functions, their saved tensors, and versions.
    """
    folded = _folded(subject)
    hosts = _hosts(subject, folded)
    cards, texts = _cards(subject, hosts, folded), _texts(subject, folded)
    shared = _shared(subject)
    texts += [chip for edges in shared.values() for chip in _chips(subject, edges)]
    functions = [
        _function(subject, identifier, node)
        for identifier, node in subject.graph.functions()
        if identifier not in folded
    ]
    plan = Plan(
        moment=subject.moment,
        boxes=(*functions, *cards, *(box for box, _ in texts)),
        wires=(*_edges(subject, folded, shared), *_links(subject, hosts), *_chip_links(texts)),
        hanging={
            **{box.id: hosts[box.id] for box in cards if box.id in hosts},
            **{box.id: host for box, host in texts},
        },
        title=title_and_legend.title(subject),
        notes=title_and_legend.notes(subject),
        legend=_legend(subject, bool(shared)),
    )
    return plan if subject.detail == "beginner" else with_groups(plan, subject)


def _folded(subject: Subject) -> dict[str, str]:
    """AccumulateGrad → the leaf that is drawn instead of it."""
    if subject.detail != "beginner":
        return {}
    return subject.topology.leaves


def _hosts(subject: Subject, folded: dict[str, str]) -> dict[str, str]:
    """Tensor → the function that it is attached to: its grad_fn, or the AccumulateGrad of a leaf."""
    hosts = {source: target for source, target, _ in subject.graph.edges("grad_fn")}
    hosts.update({leaf: function for function, leaf in subject.topology.leaves.items() if function not in folded})
    return hosts


def _is_card(subject: Subject, identifier: str, tensor: TensorRow) -> bool:
    """Whether a tensor is a card: a leaf, a root, or a named tensor. Other outputs are texts at their function."""
    return bool(tensor["name"]) or identifier in subject.graph.roots or tensor["is_leaf"]


def _function(subject: Subject, identifier: str, node: FunctionRow) -> PlannedBox:
    badge = subject.badge(node)
    if subject.detail == "expert":
        texts = (StyledText(node["name"], face="medium"), *_inside(node), *_particulars(node))
        return PlannedBox(identifier, "box", texts, fill="function", badge=badge)
    if subject.detail == "beginner":
        symbol = whole_sign(subject.graph, identifier)
        return PlannedBox(identifier, "pill", (StyledText(symbol, face="bold"),), fill="function", badge=badge)
    name = StyledText(without_number(node["name"]), face="medium")
    texts = name, *_constants(subject.graph, identifier), *_inside(node)
    return PlannedBox(identifier, "pill", texts, fill="function", badge=badge)


def _constants(graph: Graph, identifier: str) -> Iterator[StyledText]:
    """The names of the operands that need no gradient, in a small quiet line."""
    constants = [operand.constant for operand in operands_of(graph, identifier) if operand.constant is not None]
    if names := [name for one in constants if (name := shown_name(one))]:
        yield StyledText(f"with {', '.join(names)}", "quiet", size=SMALL_SIZE)


def _inside(node: FunctionRow) -> Iterator[StyledText]:
    """What is inside of a function, and which one made it, in small quiet lines."""
    for text in (*inner_texts(node), *made_texts(node)):
        yield StyledText(text, "quiet", size=SMALL_SIZE)


def _particulars(node: FunctionRow) -> Iterator[StyledText]:
    """The saved attributes and tensors of a function, and its empty slots, in small quiet lines."""
    lines = [f"{name} = {one_line(str(value))}" for name, value in node["attributes"].items()]
    saved = [item["name"] for item in node["saved"] if item["tensor"] is not None]
    lines += [f"saved {', '.join(saved)}"] if saved else []
    lines += [f"slot {slot}: empty" for slot in node["empty_slots"]]
    for line in lines:
        yield StyledText(line, "quiet", size=SMALL_SIZE)


# ---- tensors ----------------------------------------------------------------------------------------------


def _cards(subject: Subject, hosts: dict[str, str], folded: dict[str, str]) -> list[PlannedBox]:
    """The cards of all tensors; a leaf drawn instead of its AccumulateGrad has its badge."""
    takers = {leaf: function for function, leaf in folded.items()}
    shown = hosts.keys() | takers.keys() | set(subject.graph.roots)
    return [
        _card(subject, identifier, tensor, takers.get(identifier))
        for identifier, tensor in subject.graph.tensors()
        if identifier in shown and _is_card(subject, identifier, tensor)
    ]


def _card(subject: Subject, identifier: str, tensor: TensorRow, taker: str | None) -> PlannedBox:
    leaf = tensor["is_leaf"]
    accent = "value" if leaf else "ink"
    name = subject.name(tensor) or UNKNOWN
    role = _role(identifier in subject.graph.roots, leaf, tensor["requires_grad"])
    rows = [
        CardRow("data", _data(subject, tensor[subject.moment]["data"], tensor)),
        _grad_row(subject, tensor),
        CardRow("grad_fn", (_grad_fn(subject.graph, tensor["grad_fn"]),)),
        CardRow("is_leaf", (StyledText(str(leaf)),)),
        CardRow("requires_grad", (StyledText(str(tensor["requires_grad"])),)),
    ]
    if subject.detail == "expert":
        rows += [CardRow(key, (_fact(tensor[key]),)) for key in ("retains_grad", "version")]
        rows.append(CardRow("dtype, device", (StyledText(f"{tensor['dtype']}, {tensor['device']}"),)))
    texts = (StyledText(name, accent, "bold", TITLE_SIZE), StyledText(role, "quiet", size=SMALL_SIZE))
    badge = subject.badge(subject.graph.function(taker)) if taker else ""
    header = "leaf_header" if leaf else "header"
    return PlannedBox(identifier, "card", texts, tuple(rows), accent, header=header, badge=badge)


def _fact(value: Value) -> StyledText:
    return StyledText(UNKNOWN, "quiet") if is_unknown(value) else StyledText(str(value))


def _role(root: bool, leaf: bool, requires_grad: bool) -> str:
    words = ["root"] if root else []
    if leaf:
        words += ["leaf"] if requires_grad else ["leaf", "no grad"]
    return ", ".join(words)


def _data(subject: Subject, value: Value, tensor: TensorRow) -> tuple[StyledText, ...]:
    if (drawn := _drawn(subject, value)) is not None:
        return (StyledText(shape_text(tensor["dtype"], tensor["shape"])), drawn)
    lines = value_lines(value, tensor["dtype"], tensor["shape"])
    return _lines(lines, "quiet" if lines[0] == UNKNOWN else "ink", matrix_rows(value) is None)


def _lines(lines: tuple[str, ...], ink: str, norm_last: bool) -> tuple[StyledText, ...]:
    """The lines of a value; a norm below a dtype and shape is quiet."""
    words = [StyledText(line, ink) for line in lines]
    if len(lines) == 2 and norm_last:
        words[1] = StyledText(lines[1], "quiet")
    return tuple(words)


def _grad_fn(graph: Graph, identifier: str | None) -> StyledText:
    if identifier is None:
        return StyledText("None", "quiet")
    if identifier not in graph.rows:
        return StyledText(UNKNOWN, "quiet")
    return StyledText(without_number(graph.function(identifier)["name"]))


def _grad_row(subject: Subject, tensor: TensorRow) -> CardRow:
    """The tensor's `grad`, highlighted if backward changed it."""
    before, after = tensor["before"]["grad"], tensor["after"]["grad"]
    if not subject.ran:
        return CardRow("grad", _grad_words(subject, before, tensor))
    if after is None and not tensor["is_leaf"]:
        return CardRow("grad", (StyledText(NOT_A_LEAF, "quiet"),))
    if is_unknown(before) or is_unknown(after) or _same(before, after):
        return CardRow("grad", _grad_words(subject, after, tensor))
    if (drawn := _drawn(subject, after, "gradient")) is not None:
        change = StyledText(_change_of_norm(before, after), "gradient", "bold")
        return CardRow("grad", (change, drawn), "changed")
    old = value_lines(before, tensor["dtype"], tensor["shape"])
    new = value_lines(after, tensor["dtype"], tensor["shape"])
    return CardRow("grad", tuple(StyledText(line, "gradient", "bold") for line in _change(old, new)), "changed")


def _change(old: tuple[str, ...], new: tuple[str, ...]) -> list[str]:
    """`None → 4`; for values on several lines, the old one above the new one, without repeating a common line."""
    if len(old) == len(new) == 2 and old[0] == new[0]:
        return [new[0], f"{old[1]}{ARROW}{new[1].removeprefix('norm ')}"]
    if len(old) == 1:
        return [old[0] + ARROW + new[0], *new[1:]]
    return [*old, ARROW.lstrip() + new[0], *new[1:]]


def _change_of_norm(before: Value, after: Value) -> str:
    """`None → ‖0.82‖`."""
    return ARROW.join("None" if value is None else norm_in_bars(value) for value in (before, after))


def _drawn(subject: Subject, value: Value, ink: str = "ink") -> DrawnTensor | None:
    """A tensor as a grid of numbers or as a heat map; None for one that is text."""
    drawn = beside_text(value, ValueLook(ink, "regular", "ground", FULL_DIGITS, subject.look.values))
    if isinstance(drawn, HeatMap):  # its shape stands above it
        return replace(drawn, caption=drawn.caption.partition(", ")[2], size=SMALL_SIZE)
    return drawn


def _grad_words(subject: Subject, value: Value, tensor: TensorRow) -> tuple[StyledText, ...]:
    if (drawn := _drawn(subject, value)) is not None:
        return (drawn,)
    lines = value_lines(value, tensor["dtype"], tensor["shape"])
    quiet = value is None or is_unknown(value)
    return _lines(lines, "quiet" if quiet else "ink", matrix_rows(value) is None)


def _same(one: Value, other: Value) -> bool:
    """Equality with NaN equal to NaN: a grad that stays NaN did not change."""
    return one == other or repr(one) == repr(other)


def _texts(subject: Subject, folded: dict[str, str]) -> list[tuple[PlannedBox, str]]:
    """The texts beside functions: values of unnamed tensors, and sums where gradients are added."""
    shown = [*_tensor_values(subject), *_function_values(subject)]
    if subject.ran:
        for identifier, _ in subject.graph.functions():
            total = subject.sum_text(identifier)
            if total:
                words = StyledText(total, "gradient", "bold")
                host = folded.get(identifier, identifier)
                shown.append((PlannedBox(f"{identifier}.sum", "plain", (words,)), host))
    return shown


def _tensor_values(subject: Subject) -> Iterator[tuple[PlannedBox, str]]:
    """`x**2 = 4` for every recorded tensor without a card."""
    for identifier, tensor in subject.graph.tensors():
        host, value = tensor["grad_fn"], tensor[subject.moment]["data"]
        if host is None or host not in subject.graph.rows:
            continue
        if not _is_card(subject, identifier, tensor) and not _is_blank(value):
            text = value_inline(value, tensor["dtype"], tensor["shape"])
            expression = one_line(tensor.get("expression") or "")
            yield _value_box(identifier, f"{expression} = {text}".lstrip()), host


def _function_values(subject: Subject) -> Iterator[tuple[PlannedBox, str]]:
    """`= 4` for a function whose output is known but is not a tensor of the graph."""
    seen = {tensor["grad_fn"] for _, tensor in subject.graph.tensors()}
    for identifier, node in subject.graph.functions():
        value = node[subject.moment]["data"]
        single = is_number(value) or is_summary(value)  # a list may contain several outputs
        if single and identifier not in seen and not node["is_leaf"]:
            yield _value_box(f"{identifier}.data", f"= {value_inline(value, '', ())}"), identifier


def _value_box(identifier: str, text: str) -> PlannedBox:
    return PlannedBox(identifier, "plain", (StyledText(text, "value", "mono", CODE_SIZE),))


def _is_blank(value: Value) -> bool:
    return value is None or is_unknown(value)


# ---- leaves that many functions use -----------------------------------------------------------------------

_Edge = tuple[str, str, NextEdge]


def _shared(subject: Subject) -> dict[str, list[_Edge]]:
    """AccumulateGrad → its edges except the one from the deepest function, for leaves that many functions of a
    large graph use. Each of these functions has a chip instead, since long wires would cross the whole picture."""
    if not subject.is_large:
        return {}
    arriving: dict[str, list[_Edge]] = {}
    for edge in subject.graph.edges("next"):
        if subject.graph[edge[1]]["is_leaf"]:
            arriving.setdefault(edge[1], []).append(edge)
    arriving = {leaf: edges for leaf, edges in arriving.items() if len(edges) >= _LEAST_SHARED}
    of = subject.topology
    return {
        leaf: sorted(edges, key=lambda edge: of.levels[of.index[edge[0]]])[:-1] for leaf, edges in arriving.items()
    }


def _chips(subject: Subject, edges: list[_Edge]) -> Iterator[tuple[PlannedBox, str]]:
    """A chip with the name of the leaf on each function that uses it, and the gradient from there."""
    for source, target, edge in edges:
        leaf = subject.topology.leaves.get(target)
        name = (subject.name(subject.graph.tensor(leaf)) if leaf is not None else None) or UNKNOWN
        text = subject.edge_text(source, edge) if subject.flowed(source, edge) else ""
        lines = [StyledText(name, "value", "bold", SMALL_SIZE)]
        if text:
            lines.append(StyledText(text, "gradient", size=SMALL_SIZE))
        identifier = f"{target}.{source}.{edge['slot']}"
        yield PlannedBox(identifier, "box", tuple(lines), ink="value", fill="leaf_header"), source


def _chip_links(hung: list[tuple[PlannedBox, str]]) -> Iterator[PlannedWire]:
    for box, host in hung:
        if box.shape == "box":
            yield PlannedWire(f"{box.id}-{host}", box.id, host, dashed=True, head="none")


# ---- edges ------------------------------------------------------------------------------------------------


def _edges(subject: Subject, folded: dict[str, str], shared: dict[str, list[_Edge]]) -> list[PlannedWire]:
    wires = []
    by_chip = {(source, edge["slot"]) for edges in shared.values() for source, _, edge in edges}
    for source, target, edge in subject.graph.edges("next"):
        if (source, edge["slot"]) in by_chip:
            continue
        identifier = f"{source}.{edge['slot']}"
        flowed = subject.flowed(source, edge)
        text = subject.edge_text(source, edge) if flowed else ""
        label = (StyledText(text, "gradient", "bold"),) if text else ()
        ink = "gradient" if flowed else "line"
        end = folded.get(target, target)
        wires.append(PlannedWire(identifier, source, end, label, ink, head=subject.head))
    return wires


def _links(subject: Subject, hosts: dict[str, str]) -> list[PlannedWire]:
    """Dashed links between cards and their functions."""
    tensors = dict(subject.graph.tensors())
    pairs = [(source, target) for source, target, _ in subject.graph.edges("grad_fn")]
    pairs += [(function, leaf) for function, leaf in subject.topology.leaves.items() if leaf in hosts]
    return [
        PlannedWire(f"{source}-{target}", source, target, dashed=True, head="none")
        for source, target in pairs
        if any(_is_card(subject, end, tensors[end]) for end in (source, target) if end in tensors)
    ]


# ---- around the graph -------------------------------------------------------------------------------------


def _legend(subject: Subject, has_chips: bool) -> tuple[LegendEntry, ...]:
    beginner = subject.detail == "beginner"
    text = "tensor of an operation" if beginner else "tensor of a grad_fn or AccumulateGrad"
    entries = [
        *title_and_legend.badge_entry(subject),
        title_and_legend.arrow_entry(subject),
        LegendEntry("dashed", text, "line"),
    ]
    if has_chips:
        text = "leaf used by many functions (its card is drawn once)"
        entries.append(LegendEntry("text", text, "value", "w"))
    return tuple(entries)
