"""The alternative text of a figure, for screen readers: its title and its table of gradients."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.graph import Graph
from inspector.graph.row_types import TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import topology_of
from inspector.graph.values import Value
from inspector.styles.value_text import value_lines
from inspector.typography import one_line


def figure_title(graph: Graph, call: str, moments: Sequence[str]) -> str:
    """`z = x**2 - y**2: before and after z.backward()`. Without a call, only the code."""
    code = one_line("; ".join(root_codes(graph))) or "backward graph"
    return f"{code}: {' and '.join(moments)} {one_line(call)}" if call else code


def gradient_table(graph: Graph) -> str:
    """One line per leaf, root and named tensor of the graph, with its data and its grad before and after; then the
    error of backward. Before backward has run, with its data and grad as they are."""
    of = topology_of(graph)
    lines = ["tensor: data; grad before → after" if graph.ran else "tensor: data; grad"]
    lines += [_line(graph.tensor(key), graph.ran) for key in of.makers if of.tensors.name(key)]
    if graph.error:
        lines.append(f"backward raised: {one_line(graph.error)}")
    return "\n".join(lines)


def root_codes(graph: Graph) -> list[str]:
    """The source lines that created the roots, each once."""
    sources = [graph.tensor(root)["source"] for root in graph.roots if root in graph]
    codes = [source["code"] for source in sources if source is not None and "code" in source and source["code"]]
    return list(dict.fromkeys(codes))


def call_code(graph: Graph) -> str:
    """The backward call as a script would write it: `z.backward()` for one root with a name."""
    names = [graph[root]["name"] or "" for root in graph.roots if root in graph]
    if len(names) == 1 and names[0].isidentifier():
        return f"{names[0]}.backward()"
    return "backward()"


def _line(tensor: TensorRow, ran: bool) -> str:
    def text(value: Value) -> str:
        return " ".join(value_lines(value, tensor["dtype"], tensor["shape"]))

    before, after = tensor["before"], tensor["after"]
    remark = "" if tensor["is_leaf"] else " (not a leaf)"
    data, grad = text((after if ran else before)["data"]), text(before["grad"])
    grads = f"{grad} → {text(after['grad'])}" if ran else grad
    return f"{one_line(numbered_name(tensor) or '')}: data {data}; grad {grads}{remark}"
