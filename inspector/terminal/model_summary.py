"""A model on one screen: the size of its backward graph, and the gradients of its leaves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.layer_norms import layers_of
from inspector.graph.row_types import TensorRow
from inspector.graph.saved_memory import OUTSIDE, saved_memory
from inspector.graph.topology import Topology, topology_of
from inspector.graph.value_norms import is_finite, is_zero, value_norm
from inspector.graph.values import Value
from inspector.terminal.labels import root_labels, tensor_label, tensor_labels
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, columns, wrapped
from inspector.typography import bytes_text, format_number, pluralize

_BARS = "▁▂▃▅▇"
_LARGEST = 3
"""Number of norms shown at each end."""

_LAYERS = 2
"""Minimum number of modules for norms by layer."""

_NAMES = 6
_COUNTS = 36
"""Width of the columns before the names."""


def summary_lines(graph: Graph, width: int) -> list[Text]:
    """At most 14 lines about the graph of a model."""
    leaves = [tensor for _, tensor in graph.tensors() if tensor["is_leaf"] and tensor["requires_grad"]]
    of = topology_of(graph)
    return [
        *_size(graph, of, width),
        *_leaves(leaves, width),
        *_memory(graph, width),
        Text(),
        *_norms(leaves, width),
        *_over_depth(graph, of, width),
    ]


def _size(graph: Graph, of: Topology, width: int) -> list[Text]:
    nodes, edges = pluralize(len(of), "Node"), pluralize(len(of.edges), "edge")
    counts = f"{nodes}  {edges}  {max(of.levels, default=-1) + 1:,} deep  from {root_labels(graph)}"
    return wrapped(Text(), Text(counts), width)


def _leaves(leaves: Sequence[TensorRow], width: int) -> list[Text]:
    """Number of leaves, and of those with a gradient, with zero, NaN and None, with some of their names."""
    elements = sum(math.prod(leaf["shape"]) for leaf in leaves)
    groups: dict[str, list[str]] = defaultdict(list)
    labels = tensor_labels(leaves, width // 3)
    for leaf in leaves:
        groups[_outcome(leaf["after"]["grad"])].append(tensor_label(leaf, width // 3, labels=labels))
    what = "leaf requires grad" if len(leaves) == 1 else "leaves require grad"
    rows = [[Text(f"{len(leaves):,}", style=STRONG), Text(what), Text(pluralize(elements, "element"))]]
    for outcome, style in _OUTCOMES.items():
        if names := groups[outcome]:
            few = "" if outcome == _WITH else _few(names, width - _COUNTS)
            rows.append([Text(f"{len(names):,}", style=style), Text(outcome, style=style), Text(few)])
    for row in rows:
        row[0].pad_left(max(cells[0].cell_len for cells in rows) - row[0].cell_len)
        row[2].stylize(QUIET)
    return columns(rows, width, [(2, 10)])


def _memory(graph: Graph, width: int) -> list[Text]:
    """`saved tensors hold 12.3 MiB: blocks.* 80%, head 12%`."""
    kept = saved_memory(graph)
    if kept is None:
        return []
    text = f"saved tensors hold {bytes_text(kept.total)}"
    if kept.packed:
        text += f", not counting {kept.packed:,} packed by hooks"
    largest = list(kept.modules.items())[:_LARGEST] if kept.modules.keys() != {OUTSIDE} else []
    shares = [f"{name} {share}" for name, size in largest if (share := _percent(size, kept.total))]
    return wrapped(Text(), Text(text + (": " if shares else "") + ", ".join(shares)), width)


def _percent(part: int, whole: int) -> str:
    """A percentage; empty below half a percent."""
    percent = round(100 * part / whole)
    return f"{percent}%" if percent else ""


_WITH = "with gradient"
_OUTCOMES = {
    _WITH: GRADIENT,
    "NaN or Inf": f"{STRONG} {GRADIENT}",
    "zero": STRONG,
    "no gradient (grad is None)": STRONG,
    "not known": QUIET,
}


def _outcome(grad: Value) -> str:
    if grad is None:
        return "no gradient (grad is None)"
    if is_unknown(grad):
        return "not known"
    if not is_finite(grad):
        return "NaN or Inf"
    return "zero" if is_zero(grad) else _WITH


def _few(names: Sequence[str], room: int) -> str:
    """`a, b and 4 more`: as many names as fit, at least one."""
    for count in range(min(len(names), _NAMES), 0, -1):
        more = f" and {len(names) - count:,} more" if len(names) > count else ""
        few = ", ".join(names[:count]) + more
        if cell_len(few) <= room:
            break
    return few


def _norms(leaves: Sequence[TensorRow], width: int) -> list[Text]:
    """The largest and the smallest gradient norms side by side, each with its leaf."""
    measured = [(value_norm(leaf["gradient"]), leaf) for leaf in leaves]
    found = [(size, leaf) for size, leaf in measured if size is not None and math.isfinite(size) and size > 0]
    if not found:
        return [Text("no gradient norms", style=QUIET)]
    found.sort(key=lambda pair: -pair[0])
    largest = found[:_LARGEST]
    smallest = found[_LARGEST:][-_LARGEST:][::-1]
    room = (width - 27) // 2
    rows = [[Text(heading, style=QUIET) for heading in ("norm", "largest", "norm", "smallest")]]
    rows += [[Text() for _ in range(4)] for _ in largest]
    labels = tensor_labels(leaves, room)  # no other parameter of the model has the same
    for column, pairs in ((0, largest), (2, smallest)):
        for row, (size, leaf) in zip(rows[1:], pairs, strict=False):
            row[column] = Text(format_number(size), style=GRADIENT)
            row[column + 1] = Text(tensor_label(leaf, room, labels=labels))
    if not smallest:
        rows = [row[:2] for row in rows]
    return columns(rows, width, [(1, 10)])


def _over_depth(graph: Graph, of: Topology, width: int) -> list[Text]:
    """`norm by layer  ▁▂▃▅▇  1.2e-7 to 12`, the root's first: of the modules that hold leaves.

    Without modules `norm over depth`: the largest norm at each depth.
    """
    layers = layers_of(graph)
    by_place: dict[int, float] = {}
    title = "norm by layer  "
    if sum("." in layer.name for layer in layers) >= _LAYERS:
        by_place = {place: layer.size for place, layer in enumerate(layers, 1) if layer.size is not None}
    else:
        title = "norm over depth  "
        for function, level in zip(of.functions, of.levels, strict=True):
            size = None if function["is_leaf"] else value_norm(function["gradient"])
            if size is not None:
                by_place[level + 1] = _larger(by_place.get(level + 1, 0.0), size)
    finite = [size for size in by_place.values() if math.isfinite(size) and size > 0]
    if len(by_place) < 2 or not finite:
        return []
    ends = min(finite), max(finite)
    low, high = map(format_number, ends)
    scale = f"  {low} to {high}, root first" if low != high else f"  all {low}, root first"
    room = min(max(by_place), max(10, width - cell_len(title) - cell_len(scale)))
    bars = _bars(by_place, room, ends)
    return [Text(), Text.assemble((title, QUIET), (bars, GRADIENT), (scale, QUIET))]


def _bars(by_depth: dict[int, float], room: int, ends: tuple[float, float]) -> str:
    """One character per range of depths: a bar for the logarithm of its largest norm, 0, ! (NaN, Inf) or ·."""
    deepest = max(by_depth)
    stretches: dict[int, float] = {}
    for depth, size in by_depth.items():
        place = (depth - 1) * room // deepest
        stretches[place] = _larger(stretches.get(place, 0.0), size)
    span = max(1.0, math.log10(ends[1]) - math.log10(ends[0]))  # so that a range of less than a decade looks flat
    signs = ["·"] * (1 + max(stretches))
    for place, size in stretches.items():
        if not math.isfinite(size):
            signs[place] = "!"
        elif size == 0:
            signs[place] = "0"
        else:
            height = 1 - (math.log10(ends[1]) - math.log10(size)) / span
            signs[place] = _BARS[round(height * (len(_BARS) - 1))]
    return "".join(signs)


def _larger(one: float, other: float) -> float:
    """The larger of two norms; NaN if one is NaN (max would lose it)."""
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
