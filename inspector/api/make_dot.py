"""`inspector.make_dot`: a drop-in replacement for torchviz's function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import graphviz  # type: ignore[import-untyped]
import torch

from inspector.api.trace import trace_named
from inspector.graph import Graph
from inspector.graph.tensor_names import numbered_name
from inspector.styles.torchviz import DotNode, Kind, ShownAttributes, torchviz_graph
from inspector.torch_api.tensors import base_of
from inspector.tracing.roots import NoGraphError
from inspector.tracing.torchviz import original_dot
from inspector.user_code.variable_names import Names

_NODE = {
    "style": "filled",
    "shape": "box",
    "align": "left",
    "fontsize": "10",
    "ranksep": "0.1",
    "height": "0.2",
    "fontname": "monospace",
}
_COLOURS: dict[Kind, str | None] = {
    "function": None,
    "leaf": "lightblue",
    "output": "darkolivegreen1",
    "saved": "orange",
}
_BASE_COLOUR = "darkolivegreen3"
_INCHES_A_ROW, _LEAST_INCHES = 0.15, 12


def make_dot(
    var: torch.Tensor | tuple[torch.Tensor, ...],
    params: Mapping[str, torch.Tensor] | None = None,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
    original: bool = False,
) -> Any:
    """Draw the backward graph of a tensor, or of a tuple of tensors, as a `graphviz.Digraph` like torchviz's.

    params: names for tensors that require a gradient. show_attrs: show the non-tensor attributes of Nodes.
    show_saved: show saved tensors (those of custom Functions are always shown). max_attr_chars: maximum length of
    an attribute. original: let torchviz itself draw the live graph, with its limits.
    Unlike torchviz's function, this one has no depth limit and works after backward. Node ids are `n0`, `t0`, …,
    the same in every run. Raises NoOriginal (a ValueError) if torchviz itself cannot draw the graph.
    """
    outputs = list(dict.fromkeys(var if isinstance(var, tuple) else (var,)))
    if original:
        return original_dot(
            outputs,
            params or {},
            show_attrs=show_attrs,
            show_saved=show_saved,
            max_attr_chars=max_attr_chars,
        )
    names = Names()
    for name, tensor in (params or {}).items():
        names.add(name, tensor)
    bases = _bases(outputs)
    dot = graphviz.Digraph(node_attr=_NODE, graph_attr={"size": "12,12"})
    try:
        graph = trace_named([*outputs, *bases.values()], names)
    except NoGraphError:
        _add_outputs(dot, outputs, names)
    else:
        _fill(dot, graph, ShownAttributes(show_attrs, show_saved, max_attr_chars), len(outputs))
        _dotted(dot, graph, bases)
    size = max(_LEAST_INCHES, len(dot.body) * _INCHES_A_ROW)
    dot.graph_attr.update(size=f"{size},{size}")
    return dot


def _add_outputs(dot: Any, outputs: Sequence[torch.Tensor], names: Names) -> None:
    """Add the nodes of outputs without a graph."""
    for index, output in enumerate(outputs):
        label = f"{names.name(output) or ''}\n ({', '.join(map(str, output.shape))})"
        dot.node(f"t{index}", label, fillcolor=_COLOURS["output"])


def _fill(dot: Any, graph: Graph, shown: ShownAttributes, outputs: int) -> None:
    """Add the nodes and edges. outputs: how many of the roots are outputs; the others are bases of views."""
    named = {key: name for key, tensor in graph.tensors() if (name := numbered_name(tensor))}
    nodes, edges = torchviz_graph(graph, named, shown)
    bases = set(graph.roots[outputs:]) - set(graph.roots[:outputs])
    for node in nodes:
        dot.node(node.id, node.label, fillcolor=_colour(node, bases))
    for edge in edges:
        dot.edge(edge.tail, edge.head, dir=None if edge.directed else "none")


def _colour(node: DotNode, bases: set[str]) -> str | None:
    return _BASE_COLOUR if node.id in bases and node.kind == "output" else _COLOURS[node.kind]


def _bases(outputs: list[torch.Tensor]) -> dict[int, torch.Tensor]:
    """Map the position of each output that is a view to the tensor that it is a view of."""
    return {
        position: base
        for position, output in enumerate(outputs)
        if (base := base_of(output)) is not None and base.requires_grad
    }


def _dotted(dot: Any, graph: Graph, bases: dict[int, torch.Tensor]) -> None:
    """Add the edges from the bases of views to the views."""
    first = len(graph.roots) - len(bases)
    for offset, position in enumerate(bases):
        dot.edge(graph.roots[first + offset], graph.roots[position], style="dotted")
