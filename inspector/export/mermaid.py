"""Write a Graph as a Mermaid flowchart, which GitHub, GitLab, Quarto and Obsidian render."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector.export.graph_text import edge_text, name_of, node_lines
from inspector.graph import Graph
from inspector.graph.row_types import EdgeRow
from inspector.typography.sanitize import sanitize

_SHAPES = {"function": ("([", "])"), "tensor": ("[", "]")}
_ARROWS = {"next": "-->", "grad_fn": "-.-", "accumulate": "-.->", "saved": "-.-"}
_MEANING = frozenset('"#&<>`\\|{}[]()*_~$%;')
"""Characters with a special meaning in Mermaid, its Markdown or a browser."""


def write_mermaid(graph: Graph) -> str:
    """The Graph as the text of a flowchart, in the order of the Graph, so that the same Graph gives the same text.

    Solid arrows lead from function to function in the direction of the gradient, labelled with it; dotted lines
    connect a tensor with its grad_fn, an AccumulateGrad with its leaf, and a function with its saved tensors.
    """
    return "\n".join(("flowchart LR", *_nodes(graph), *_edges(graph), ""))


def _nodes(graph: Graph) -> Iterator[str]:
    for identifier, attributes in graph.nodes():
        opened, closed = _SHAPES[attributes["kind"]]
        yield f'    {name_of(identifier)}{opened}"{_label(node_lines(graph, attributes))}"{closed}'


def _edges(graph: Graph) -> Iterator[str]:
    for source, target, attributes in graph.all_edges():
        yield f"    {name_of(source)} {_arrow(attributes)} {name_of(target)}"


def _arrow(attributes: EdgeRow) -> str:
    flowed = edge_text(attributes)
    return _ARROWS[attributes["kind"]] + (f'|"{_label([flowed])}"|' if flowed else "")


def _label(lines: Iterable[str]) -> str:
    """Escaped lines: characters with a special meaning become character codes."""
    return "<br/>".join(
        "".join(f"#{ord(character)};" if character in _MEANING else character for character in sanitize(line))
        for line in lines
    )
