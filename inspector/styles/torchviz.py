"""The `torchviz` style: the Nodes, edges and labels of torchviz's `make_dot`, built from the Graph.

It also works for saved reports, and after backward, when torchviz raises because saved tensors are released. Names
are those of the script, as if passed to `make_dot` as `params`. As in torchviz, edges run from the tensors to the
output, against `next_functions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import topology_of
from inspector.styles import title_and_legend
from inspector.styles.plan import LegendEntry, Plan, PlannedBox, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.typography import value_text

Kind = Literal["function", "leaf", "output", "saved"]
SAVED_BY_CUSTOM = "saved_tensors"
_FILLS: dict[Kind, str] = {"function": "function", "leaf": "leaf_header", "output": "header", "saved": "changed"}
_MEANINGS: dict[Kind, tuple[str, str]] = {
    "leaf": ("leaf (accumulates grad)", "value"),
    "saved": ("saved tensor", "gradient"),
}


class DotNode(Struct, frozen=True):
    """A node of torchviz's picture. label: torchviz's text, with its line breaks."""

    id: str
    label: str
    kind: Kind


class DotEdge(Struct, frozen=True):
    """An edge of torchviz's picture. directed: whether it has an arrowhead."""

    tail: str
    head: str
    directed: bool = True


class ShownAttributes(Struct, frozen=True):
    """The options show_attrs, show_saved and max_attr_chars of `make_dot`."""

    attributes: bool = False
    saved: bool = False
    longest: int = 50


def torchviz_graph(
    graph: Graph, names: dict[str, str], shown: ShownAttributes | None = None
) -> tuple[list[DotNode], list[DotEdge]]:
    """The nodes and edges that torchviz draws. names: tensor id → its name in `params`."""
    shown = shown or ShownAttributes()
    unused = _unused(graph)
    leaves = topology_of(graph).leaves
    nodes: dict[str, DotNode] = {}  # the second drawing of a node replaces the first
    edges: list[DotEdge] = []
    for root in dict.fromkeys(graph.roots):
        nodes[root] = _tensor_node(graph, root, names.get(root, ""), "output")
        function = graph.tensor(root)["grad_fn"]
        if function is not None and function in graph.rows:
            edges.append(DotEdge(function, root))
    for identifier, node in graph.functions():
        if identifier in unused:
            continue
        if shown.saved:
            for tensor, name in _saved(graph, node, custom=False):
                nodes[tensor] = _tensor_node(graph, tensor, name, "saved")
                edges.append(DotEdge(identifier, tensor, False))
        if identifier in leaves:
            leaf = leaves[identifier]
            nodes[leaf] = _tensor_node(graph, leaf, names.get(leaf, ""), "leaf")
            edges.append(DotEdge(leaf, identifier))
        nodes[identifier] = DotNode(identifier, _function_label(node, shown), "function")
    edges += [DotEdge(target, source) for source, target, _ in graph.edges("next")]
    for identifier, node in graph.functions():
        for tensor, _ in _saved(graph, node, custom=True):
            nodes[tensor] = _tensor_node(graph, tensor, names.get(tensor, ""), "saved")
            edges.append(DotEdge(tensor, identifier, False))
    return list(nodes.values()), edges


def _unused(graph: Graph) -> set[str]:
    """The AccumulateGrads of leaves that are roots; torchviz does not draw them."""
    of = topology_of(graph)
    alone = {of.ids[position] for position in of.roots if not of.arrivals.of(position)}
    return alone & of.leaves.keys()


def _function_label(node: FunctionRow, shown: ShownAttributes) -> str:
    """The class name, and below it the attributes in two columns, as in torchviz."""
    name: str = node["name"]
    attributes = _attributes(node) if shown.attributes else {}
    if not attributes:
        return name
    longest = max(shown.longest, 3)
    first = max(map(len, attributes))
    second = min(max(map(len, attributes.values())), longest)
    rows = []
    for key, text in attributes.items():
        cut = text[: second - 3] + "..." if len(text) > second else text
        rows.append(f"{key:<{first}}: {cut:>{second}}")
    return "\n".join([name, "-" * max(first + second + 2, len(name)), *rows])


def _attributes(node: FunctionRow) -> dict[str, str]:
    """The saved attributes of a Node in alphabetic order, with placeholders for tensors."""
    texts = {key: _attribute_text(value) for key, value in node["attributes"].items()}
    for saved in node["saved"]:
        name, bracket, _ = saved["name"].partition("[")
        if name == SAVED_BY_CUSTOM:
            continue  # a custom Function has no `_saved_` attribute for it
        if bracket:
            texts[name] = "[saved tensors]"
        else:
            texts[name] = "None" if saved["before"] == "empty" else "[saved tensor]"
    return dict(sorted(texts.items()))


def _attribute_text(value: Any) -> str:
    """The `str` of a value; lists were tuples in torch."""
    if isinstance(value, list):
        return str(tuple(value))
    return str(value) if isinstance(value, (str, int, float, bool, type(None))) else value_text(value)


def _tensor_node(graph: Graph, identifier: str, name: str, kind: Kind) -> DotNode:
    shape = ", ".join(map(str, graph.tensor(identifier)["shape"]))
    return DotNode(identifier, f"{name}\n ({shape})", kind)


def _saved(graph: Graph, node: FunctionRow, *, custom: bool) -> Iterator[tuple[str, str]]:
    """(id, name) of the saved tensors of a Node. custom: whether of custom Functions or of torch's Nodes."""
    for saved in node["saved"]:
        tensor = saved["tensor"]
        is_custom = saved["name"].startswith(SAVED_BY_CUSTOM)
        if tensor is not None and tensor in graph.rows and custom == is_custom:
            yield tensor, saved["name"]


# ---- as a figure ------------------------------------------------------------------------------------------


def plan_torchviz(subject: Subject) -> Plan:
    """torchviz's picture in the inspector's figure style. It is the same at every moment, since it shows only the
    structure."""
    graph = subject.graph
    names = {key: name for key, tensor in graph.tensors() if (name := numbered_name(tensor))}
    nodes, edges = torchviz_graph(graph, names)
    return Plan(
        moment=subject.moment,
        boxes=tuple(map(_box, nodes)),
        wires=tuple(_wires(subject, edges)),
        title=title_and_legend.title(subject),
        notes=title_and_legend.notes(subject),
        legend=_legend(subject, {node.kind for node in nodes}),
    )


def _box(node: DotNode) -> PlannedBox:
    lines = tuple(StyledText(line.strip()) for line in node.label.split("\n") if line.strip())
    ink = "value" if node.kind == "leaf" else "ink"
    return PlannedBox(node.id, "box", lines, ink=ink, fill=_FILLS[node.kind])


def _wires(subject: Subject, edges: list[DotEdge]) -> Iterator[PlannedWire]:
    """Wires from the root to the leaves; torchviz's directed edges run the other way."""
    slots: dict[tuple[str, str], list[int]] = defaultdict(list)
    for source, target, attributes in subject.graph.edges("next"):
        slots[source, target].append(attributes["slot"])
    for edge in edges:
        source, target = (edge.head, edge.tail)
        waiting = slots.get((source, target))
        identifier = f"{source}.{waiting.pop(0)}" if waiting else f"{source}-{target}"
        head = subject.head if edge.directed else "none"
        yield PlannedWire(identifier, source, target, ink="ink", dashed=not edge.directed, head=head)


def _legend(subject: Subject, kinds: set[Kind]) -> tuple[LegendEntry, ...]:
    forward = subject.pointing == "forward"
    text = "direction of values" if forward else "direction of gradients"
    entries = [LegendEntry("arrow", text, "ink")]
    entries += [LegendEntry("text", *_MEANINGS[kind], "x") for kind in _MEANINGS if kind in kinds]
    return tuple(entries)
