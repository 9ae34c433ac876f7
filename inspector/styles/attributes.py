"""The `attributes` style: tensors as cards of data, grad, grad_fn, is_leaf, requires_grad on their functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inspector.graph import Graph, is_unknown
from inspector.graph.model import Moment
from inspector.graph.values import Value, is_number, is_summary
from inspector.styles.description import root_codes
from inspector.styles.plan import (
    CODE_SIZE,
    SMALL_SIZE,
    TITLE_SIZE,
    LegendEntry,
    Plan,
    PlannedBox,
    PlannedWire,
    Row,
    Words,
)
from inspector.styles.wording import (
    UNKNOWN,
    edge_text,
    function_name,
    matrix_rows,
    plain,
    sum_text,
    value_inline,
    value_lines,
)

NOT_A_LEAF = "None (not a leaf)"
ARROW = " → "


def plan_attributes(graph: Graph, moment: Moment, call: str) -> Plan:
    """What the figure shows of `graph` at `moment`.

    call: the code of the backward call for the title (`z.backward()`), or an empty text.
    """
    subject = _Subject(graph, moment)
    cards, texts = _cards(subject), _texts(subject)
    functions = [_function(subject, identifier, node) for identifier, node in graph.functions()]
    boxes = [*functions, *(box for box, _ in cards), *(box for box, _ in texts)]
    return Plan(
        moment=moment,
        boxes=tuple(boxes),
        wires=(*_edges(subject), *_links(subject)),
        hanging={box.id: host for box, host in (*cards, *texts) if host},
        title=_title(subject, call),
        notes=(Words(plain(graph.error), "error"),) if graph.error and subject.ran else (),
        legend=_legend(subject),
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    """A graph at one moment, and what is asked of it again and again."""

    graph: Graph
    moment: Moment

    @property
    def ran(self) -> bool:
        """Whether this is the moment after backward."""
        return self.moment == "after"

    def hosts(self) -> dict[str, str]:
        """Tensor → the function that it hangs on: its grad_fn, or the AccumulateGrad of a leaf."""
        hosts = {source: target for source, target, _ in self.graph.edges("grad_fn")}
        hosts.update({target: source for source, target, _ in self.graph.edges("accumulate")})
        return hosts

    def is_card(self, identifier: str, tensor: dict[str, Any]) -> bool:
        """Leaves, roots and tensors with a name are cards; other outputs are texts at their function."""
        return bool(tensor["name"]) or identifier in self.graph.roots or tensor["is_leaf"]

    def outputs(self, function: str) -> int:
        """How many outputs of a function the graph knows of, at least 1."""
        arriving = self.graph.network.in_edges(function, data=True)
        numbers = [edge["input_nr"] for _, _, edge in arriving if edge["kind"] == "next"]
        return max(numbers, default=0) + 1


def _function(subject: _Subject, identifier: str, node: dict[str, Any]) -> PlannedBox:
    step = node["step"] if subject.ran else None
    badge = str(step) if isinstance(step, int) else ""
    name = Words(function_name(node["name"]), face="medium")
    return PlannedBox(identifier, "pill", (name,), fill="function", badge=badge)


# ---- tensors ----------------------------------------------------------------------------------------------


def _cards(subject: _Subject) -> list[tuple[PlannedBox, str]]:
    """Every card with the id of the function that it hangs on (empty for a root that has none)."""
    hosts = subject.hosts()
    return [
        (_card(subject, identifier, tensor), hosts.get(identifier, ""))
        for identifier, tensor in subject.graph.tensors()
        if (identifier in hosts or identifier in subject.graph.roots) and subject.is_card(identifier, tensor)
    ]


def _card(subject: _Subject, identifier: str, tensor: dict[str, Any]) -> PlannedBox:
    leaf = tensor["is_leaf"]
    accent = "value" if leaf else "ink"
    name = plain(tensor["name"] or tensor.get("expression") or "") or UNKNOWN
    role = _role(identifier in subject.graph.roots, leaf, tensor["requires_grad"])
    rows = (
        Row("data", _data(tensor[subject.moment]["data"], tensor)),
        _grad_row(subject, tensor),
        Row("grad_fn", (_grad_fn(subject.graph, tensor["grad_fn"]),)),
        Row("is_leaf", (Words(str(leaf)),)),
        Row("requires_grad", (Words(str(tensor["requires_grad"])),)),
    )
    texts = (Words(name, accent, "bold", TITLE_SIZE), Words(role, "quiet", size=SMALL_SIZE))
    return PlannedBox(identifier, "card", texts, rows, accent, header="leaf_header" if leaf else "header")


def _role(root: bool, leaf: bool, requires_grad: bool) -> str:
    words = ["root"] if root else []
    if leaf:
        words += ["leaf"] if requires_grad else ["leaf", "no grad"]
    return ", ".join(words)


def _data(value: Value, tensor: dict[str, Any]) -> tuple[Words, ...]:
    lines = value_lines(value, tensor["dtype"], tensor["shape"])
    return _lines(lines, "quiet" if lines[0] == UNKNOWN else "ink", matrix_rows(value) is None)


def _lines(lines: tuple[str, ...], ink: str, norm_last: bool) -> tuple[Words, ...]:
    """The lines of a value; the norm below a type is quiet."""
    words = [Words(line, ink) for line in lines]
    if len(lines) == 2 and norm_last:
        words[1] = Words(lines[1], "quiet")
    return tuple(words)


def _grad_fn(graph: Graph, identifier: str | None) -> Words:
    if identifier is None:
        return Words("None", "quiet")
    if identifier not in graph.network:
        return Words(UNKNOWN, "quiet")
    return Words(function_name(graph[identifier]["name"]))


def _grad_row(subject: _Subject, tensor: dict[str, Any]) -> Row:
    """What torch's `grad` attribute holds; highlighted where backward changed it."""
    before, after = tensor["before"]["grad"], tensor["after"]["grad"]
    if not subject.ran:
        return Row("grad", _grad_words(before, tensor))
    if after is None and not tensor["is_leaf"]:
        return Row("grad", (Words(NOT_A_LEAF, "quiet"),))
    if is_unknown(before) or is_unknown(after) or _same(before, after):
        return Row("grad", _grad_words(after, tensor))
    old = value_lines(before, tensor["dtype"], tensor["shape"])
    new = value_lines(after, tensor["dtype"], tensor["shape"])
    return Row("grad", tuple(Words(line, "gradient", "bold") for line in _change(old, new)), "changed")


def _change(old: tuple[str, ...], new: tuple[str, ...]) -> list[str]:
    """`None → 4`; of values on several lines the old one above the new one, what they share once."""
    if len(old) == len(new) == 2 and old[0] == new[0]:
        return [new[0], f"{old[1]}{ARROW}{new[1].removeprefix('norm ')}"]
    if len(old) == 1:
        return [old[0] + ARROW + new[0], *new[1:]]
    return [*old, ARROW.lstrip() + new[0], *new[1:]]


def _grad_words(value: Value, tensor: dict[str, Any]) -> tuple[Words, ...]:
    lines = value_lines(value, tensor["dtype"], tensor["shape"])
    quiet = value is None or is_unknown(value)
    return _lines(lines, "quiet" if quiet else "ink", matrix_rows(value) is None)


def _same(one: Value, other: Value) -> bool:
    """Equality in which a NaN equals a NaN: a grad that stays NaN did not change."""
    return one == other or repr(one) == repr(other)


def _texts(subject: _Subject) -> list[tuple[PlannedBox, str]]:
    """The texts beside functions: values of tensors without a name, and sums where gradients meet."""
    shown = [*_tensor_values(subject), *_function_values(subject)]
    if subject.ran:
        for identifier, node in subject.graph.functions():
            total = _sum(subject, identifier, node)
            if total:
                words = Words(total, "gradient", "bold")
                shown.append((PlannedBox(f"{identifier}.sum", "plain", (words,)), identifier))
    return shown


def _tensor_values(subject: _Subject) -> Iterator[tuple[PlannedBox, str]]:
    """`x**2 = 4` for every recorded tensor that has no card."""
    for identifier, tensor in subject.graph.tensors():
        host, value = tensor["grad_fn"], tensor[subject.moment]["data"]
        if host in subject.graph.network and not subject.is_card(identifier, tensor) and not _is_blank(value):
            text = value_inline(value, tensor["dtype"], tensor["shape"])
            expression = plain(tensor.get("expression") or "")
            yield _value_box(identifier, f"{expression} = {text}".lstrip()), host


def _function_values(subject: _Subject) -> Iterator[tuple[PlannedBox, str]]:
    """`= 4` for a function whose output is known, though no tensor stands for it."""
    seen = {tensor["grad_fn"] for _, tensor in subject.graph.tensors()}
    for identifier, node in subject.graph.functions():
        value = node[subject.moment]["data"]
        single = is_number(value) or is_summary(value)  # a list may be one of outputs
        if single and identifier not in seen and not node["is_leaf"]:
            yield _value_box(f"{identifier}.data", f"= {value_inline(value, '', ())}"), identifier


def _value_box(identifier: str, text: str) -> PlannedBox:
    return PlannedBox(identifier, "plain", (Words(text, "value", "mono", CODE_SIZE),))


def _is_blank(value: Value) -> bool:
    return value is None or is_unknown(value)


def _sum(subject: _Subject, identifier: str, node: dict[str, Any]) -> str:
    """`2 + 2 = 4` where several gradients arrive for the only output of a function."""
    network = subject.graph.network
    arriving = [
        (network.nodes[source]["step"], edge["slot"], edge.get("gradient"))
        for source, _, edge in network.in_edges(identifier, data=True)
        if edge["kind"] == "next"
    ]
    if subject.outputs(identifier) > 1:
        return ""
    ordered = sorted(arriving, key=lambda item: (item[0] if isinstance(item[0], int) else 0, item[1]))
    return sum_text([gradient for _, _, gradient in ordered], node["gradient"])


# ---- edges ------------------------------------------------------------------------------------------------


def _edges(subject: _Subject) -> list[PlannedWire]:
    wires = []
    for source, target, edge in subject.graph.edges("next"):
        identifier = f"{source}.{edge['slot']}"
        flowed = subject.ran and _flowed(subject.graph, source, edge)
        text = ""
        if flowed:
            upstream = subject.graph[source]["gradient"]
            text = edge_text(edge.get("gradient"), edge.get("local"), upstream)
        label = (Words(text, "gradient", "bold"),) if text else ()
        wires.append(PlannedWire(identifier, source, target, label, "gradient" if flowed else "line"))
    return wires


def _flowed(graph: Graph, source: str, edge: dict[str, Any]) -> bool:
    """Whether a gradient went along this edge, as far as it is known."""
    gradient = edge.get("gradient")
    if gradient is None:
        return False
    if is_unknown(gradient):
        return graph.error is None and graph[source]["step"] is not None
    return True


def _links(subject: _Subject) -> list[PlannedWire]:
    """Dashed lines between the cards and their functions."""
    tensors = dict(subject.graph.tensors())
    pairs = [*subject.graph.edges("grad_fn"), *subject.graph.edges("accumulate")]
    return [
        PlannedWire(f"{source}-{target}", source, target, dashed=True, arrow=False)
        for source, target, _ in pairs
        if any(subject.is_card(end, tensors[end]) for end in (source, target) if end in tensors)
    ]


# ---- around the graph -------------------------------------------------------------------------------------


def _title(subject: _Subject, call: str) -> tuple[Words, ...]:
    """The code that made the root, the moment, and the call."""
    codes = root_codes(subject.graph)
    words = [Words(plain("; ".join(codes)), "ink", "mono", TITLE_SIZE)] if codes else []
    if call:
        ink = "gradient" if subject.ran else "quiet"
        words.append(Words(subject.moment, ink, "bold", TITLE_SIZE))
        words.append(Words(plain(call), ink, "mono", TITLE_SIZE))
    return tuple(words)


def _legend(subject: _Subject) -> tuple[LegendEntry, ...]:
    ran = subject.ran and any(isinstance(node["step"], int) for _, node in subject.graph.functions())
    arrow = "gradient" if subject.ran else "line"
    entries = [LegendEntry("badge", "order in which the engine runs", "gradient")] if ran else []
    entries.append(LegendEntry("arrow", "the gradient flows", arrow))
    entries.append(LegendEntry("dashed", "grad_fn of a tensor, leaf of an AccumulateGrad", "line"))
    return tuple(entries)
