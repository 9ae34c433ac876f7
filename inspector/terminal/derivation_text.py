"""The derivation as text: the backward graph from the root down, with every contribution and every sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text

from inspector.graph import Graph
from inspector.graph.hook_changes import hook_changes
from inspector.graph.module_outputs import output_of
from inspector.graph.row_types import FunctionRow, TensorRow
from inspector.graph.topology import topology_of
from inspector.graph.values import is_number
from inspector.terminal.edge_arithmetic import ArithmeticText, flows, sums
from inspector.terminal.labels import gradient, tensor_label, tensor_labels, value
from inspector.terminal.text_cells import QUIET, columns, natural_width, wrapped
from inspector.terminal.tree_lines import tensors_made, tree_cells, visits
from inspector.typography import change_text, pluralize

_TREE_SHARE = 0.45
"""Maximum share of the width for the tree; above it the branches move closer together."""

_TENSOR_KEEPS = 16
_SHRINK = ((1, 28), (0, 28), (1, 24), (2, 12), (1, _TENSOR_KEEPS), (0, 24), (1, 12), (3, 8))
"""(column, minimum width), in the order in which columns are shortened."""

_MOST_HOOKS = 6
"""Maximum number of gradients that hooks changed, in lines of their own."""

Rows = list[list[Text]]


class DerivationLine(Struct, frozen=True):
    """One edge of the drawing. stems: the branches that pass below it. total: the sum of gradients, or None."""

    node: Text
    stems: Text
    tensor: Text
    flow: ArithmeticText
    total: ArithmeticText | None


def derivation_lines(graph: Graph, width: int) -> list[Text]:
    """The drawing, with a line for each edge, below a line of headings.

    A function that several edges reach is named at each edge and drawn at the last one, so that the lines are in
    an order in which the gradient can flow. Its contributions are added there: beside it, below it if that is too
    wide, and without the products if that is still too wide.
    """
    lines = _lines(graph, width)
    for arrange in _ARRANGEMENTS:
        rows = arrange(lines)
        if natural_width(rows, {1: _TENSOR_KEEPS}) <= width:
            break
    shrink = [give for give in _SHRINK if give[0] < len(rows[0])]
    return [*columns(rows, width, shrink, labelled=1), *_hooks(graph, width)]


def _hooks(graph: Graph, width: int) -> list[Text]:
    """`a hook changed the gradient of h: 13 → 130`."""
    changes = hook_changes(graph)
    texts = [
        f"a hook changed the gradient of {tensor_label(graph.tensor(change.tensor), _TENSOR_KEEPS)}: "
        f"{change_text(change.sent, change.arrived)}"
        for change in changes[:_MOST_HOOKS]
    ]
    if len(changes) > _MOST_HOOKS:
        texts.append(f"hooks changed {pluralize(len(changes) - _MOST_HOOKS, 'more gradient')}")
    lines = [line for text in texts for line in wrapped(Text(), Text(text, style=QUIET), width)]
    return [Text(), *lines] if lines else []


def _lines(graph: Graph, width: int) -> list[DerivationLine]:
    drawn = list(visits(graph))
    made = tensors_made(graph)
    tree = tree_cells(graph, drawn, int(width * _TREE_SHARE))
    of = topology_of(graph)
    labels = tensor_labels((tensor for tensors in made.values() for tensor in tensors), width // 3)
    tensors = [
        _tensor_cell(
            graph.function(visit.function),
            [
                tensor_label(tensor, width // 3, output_of(of, visit.function), labels)
                for tensor in made[visit.function]
            ],
            made[visit.function],
            visit.ends,
        )
        for visit in drawn
    ]
    arithmetic = zip(flows(graph, drawn, made), sums(graph, drawn), strict=True)
    return [
        DerivationLine(node, stems, tensor, flow, total)
        for (node, stems), tensor, (flow, total) in zip(tree, tensors, arithmetic, strict=True)
    ]


def _beside(lines: Sequence[DerivationLine]) -> Rows:
    """The sums in a separate column."""
    gradients = _aligned([line.flow for line in lines])
    totals = [
        Text() if line.total is None else Text.assemble(line.total[0], gradient(line.total[1])) for line in lines
    ]
    rows = [_headings("Node", "tensor", "gradient", "sum")]
    for line, flow, total in zip(lines, gradients, totals, strict=True):
        rows.append([line.node, line.tensor, flow, total])
    return rows if any(totals) else [row[:3] for row in rows]


def _below(lines: Sequence[DerivationLine]) -> Rows:
    """The sums on separate lines, each below its last contribution."""
    cells: list[tuple[Text, Text, ArithmeticText]] = []
    for line in lines:
        cells.append((line.node, line.tensor, line.flow))
        if line.total is not None:
            cells.append((line.stems, Text(), line.total))
    gradients = _aligned([written for _, _, written in cells])
    rows = [_headings("Node", "tensor", "gradient")]
    rows += [[node, tensor, cell] for (node, tensor, _), cell in zip(cells, gradients, strict=True)]
    return rows


def _without_tensors(lines: Sequence[DerivationLine]) -> Rows:
    """Only the numbers."""
    bare = [
        DerivationLine(
            line.node, line.stems, line.tensor, ("", line.flow[1]), line.total and ("→ ", line.total[1])
        )
        for line in lines
    ]
    return _beside(bare)


_ARRANGEMENTS: tuple[Callable[[Sequence[DerivationLine]], Rows], ...] = (_beside, _below, _without_tensors)
"""From wide to narrow."""


def _headings(*names: str) -> list[Text]:
    return [Text(name, style=QUIET) for name in names]


def _aligned(written: Sequence[ArithmeticText]) -> list[Text]:
    """The texts as cells, with aligned equals signs, and numbers without a product aligned with the results."""
    margin = max((cell_len(before) for before, _ in written), default=0)
    return [
        Text.assemble(
            " " * (margin - cell_len(before)) if is_number(content) else "", before, gradient(content)
        )
        for before, content in written
    ]


def _tensor_cell(
    function: FunctionRow, labels: Sequence[str], outputs: Sequence[TensorRow], ends: bool
) -> Text:
    """`u*v = 2`; only the value if the tensor was not recorded; no value if the function is drawn further down.

    labels: of the outputs.
    """
    if not outputs:
        return value(function["before"]["data"]) if ends else Text()
    cell = Text()
    for label, tensor in zip(labels, outputs, strict=True):
        cell.append(", " if cell else "")
        cell.append(label, style="" if ends else QUIET)
        data = value(tensor["before"]["data"])
        if ends and data.plain.startswith(label):  # both are type and shape
            cell.append_text(data[len(label) :])
        elif ends:
            cell.append(" = ", style=QUIET).append_text(data)
    return cell
