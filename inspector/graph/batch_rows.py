"""What the rows of a gradient are: samples of a batch, rows of an input, or only rows.

The rows of a gradient are the indices of its first dimension, which may be the batch, the time or the features.
They are samples if each goes on by itself to a loss of one number, and if both an input and a target have as many
rows, each of which enters the same row. A view may split a row into several: [8, 5, 3] as [40, 3].
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from inspector.graph.model import Graph
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of
from inspector.graph.row_types import Constant, FunctionRow
from inspector.graph.topology import Topology, topology_of
from inspector.graph.traversal import reach
from inspector.graph.values import Value, is_summary

_BY_OPERAND: dict[str, tuple[int, ...]] = {
    "addmm": (1,),
    "baddbmm": (1, 2),
    "batch_norm": (0,),
    "bmm": (0, 1),
    "convolution": (0,),
    "embedding": (1,),
    "linear": (0,),
    "mm": (0,),
    "mv": (0,),
    "native_batch_norm": (0,),
    "native_group_norm": (0,),
    "native_layer_norm": (0,),
    "nll_loss": (0, 1),
    "nll_loss2d": (0, 1),
}
"""The operands whose rows become the same rows of the output, by op."""

_ELEMENTWISE = frozenset((
    "abs", "adaptive_avg_pool2d", "addcdiv", "addcmul", "asinh", "atan", "atan2", "avg_pool2d",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "clone", "cos", "div", "div.Scalar", "erf",
    "erfc", "exp", "exp2", "expm1", "huber_loss", "log", "log10", "log1p", "log2", "log_sigmoid", "logaddexp",
    "max_pool2d_with_indices", "maximum", "minimum", "mse_loss", "mul", "mul.Scalar", "neg", "pow.Scalar",
    "pow.Tensor_Scalar", "pow.Tensor_Tensor", "reciprocal", "rsqrt", "sigmoid", "sin", "smooth_l1_loss",
    "sqrt", "tan", "tanh", "to_copy", "upsample_bilinear2d", "upsample_nearest2d", "xlogy",
))  # fmt: skip
_ELEMENTWISE_KINDS = (NodeKind.RECTIFIES, NodeKind.MASKS, NodeKind.ADDS)
"""Ops whose operands have the rows of the output wherever they have as many dimensions and rows."""

_ALONG = frozenset((
    "amax", "amin", "cat", "cumsum", "linalg_vector_norm", "log_softmax", "logsumexp", "max.dim", "mean.dim",
    "min.dim", "norm.ScalarOpt_dim", "select", "slice", "softmax", "sum.dim_IntList", "transpose",
))  # fmt: skip
"""Ops that keep rows unless they work along the first dimension."""

_ROWWISE = frozenset(("expand", "repeat", *_BY_OPERAND, *_ELEMENTWISE, *_ALONG))
"""Ops of which it is known which rows of their operands make a row."""

_REDUCTIONS = frozenset((
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "huber_loss", "kl_div", "mean", "mse_loss",
    "nll_loss", "nll_loss2d", "smooth_l1_loss", "sum",
))  # fmt: skip
"""Ops that may make one number of all rows."""

_MOST_TRIED = 8


class RowMeaning(Struct, frozen=True):
    """What the rows of a gradient are. tensor: the script's name of an input that has these rows; None if none was
    found. are_samples: see the module. sizes: the first dimensions of that tensor, if the rows are those of a view
    that has made one of them."""

    tensor: str | None
    are_samples: bool
    sizes: tuple[int, ...] = ()

    def index(self, row: int) -> str:
        """The index of a row in the tensor: `17`; `3, 2` if a row has several."""
        found: list[int] = []
        for size in reversed(self.sizes[1:]):
            row, rest = divmod(row, size)
            found.insert(0, rest)
        return ", ".join(map(str, (row, *found)))


def meaning_of_rows(graph: Graph, node: str, count: int) -> RowMeaning:
    """What the rows of the gradient that arrived at a Node are. count: their number."""
    of = topology_of(graph)
    start = of.index[node]
    if _rows_out(of.functions[start]) != count:
        return RowMeaning(None, False)
    below = reach([start], lambda at: _operands(of, at, count))
    inputs = [constant for at in below for constant in _constants(of.functions[at], count)]

    def uses(at: int, goes_on: bool) -> list[int]:
        return [user for user in of.arrivals.of(at) if (at in _operands(of, user, count)) == goes_on]

    above = list(reach([start], lambda at: uses(at, True)))
    ends = [user for at in above for user in uses(at, False)]
    losses = [user for user in ends if _is_loss(of.functions[user])]
    targets = [constant for at in [*above[1:], *losses] for constant in _constants(of.functions[at], count)]
    # The farthest from the loss is what the model is given; the nearest may be the target.
    rows = [item for item in inputs if item["name"] and item.get("shape", [])[:1] == [count]]
    named = [(item["name"], sizes) for item in rows if (sizes := _first_sizes(item, count))]
    is_alone = bool(ends) and len(losses) == len(ends)
    name, sizes = named[-1] if named else (None, ())
    return RowMeaning(name, bool(is_alone and inputs and targets), sizes if len(sizes) > 1 else ())


def _first_sizes(item: Constant, count: int) -> tuple[int, ...]:
    """The first dimensions of the named tensor, as many as make this number of rows; empty if none do."""
    shape = item.get("viewed", item.get("shape", []))
    return next((tuple(shape[:n]) for n in range(1, len(shape) + 1) if math.prod(shape[:n]) == count), ())


def first_samples(graph: Graph) -> tuple[str, RowMeaning] | None:
    """The Node nearest to the inputs whose gradient has the samples of a batch as rows, and what they are; None if
    there is none."""
    of, tried = topology_of(graph), 0
    for at in reversed(of.order):
        count = _rows_out(of.functions[at])
        if count is not None and count > 1 and any(True for _ in _constants(of.functions[at], count)):
            meaning, tried = meaning_of_rows(graph, of.ids[at], count), tried + 1
            if meaning.are_samples:
                return of.ids[at], meaning
            if tried == _MOST_TRIED:
                break
    return None


def where_rows_are_lost(graph: Graph, node: str, count: int) -> list[str]:
    """The Nodes that have made one of all rows, if what a Node computes has equal rows since they are copies.

    count: the number of rows. Empty if the rows may differ, or if that is not known.
    """
    of = topology_of(graph)
    start = of.index[node]
    copied: list[int] = []
    for at in reach([start], lambda at: _operands(of, at, count)):
        row = of.functions[at]
        is_known = op_of(row["name"]) in _ROWWISE or is_kind(row["name"], *_ELEMENTWISE_KINDS, NodeKind.RESHAPES)
        if not is_known or not of.following(at) or _rows_out(row) != count or _has_rows(row, count):
            return []
        if op_of(row["name"]) in _BY_OPERAND:
            continue
        others = [target for target in of.following(at) if target not in _operands(of, at, count)]
        if others and not _copies_rows(row):
            return []  # a view of rows that are somewhere else in its input
        copied += others
    if any(_rows_out(of.functions[at]) == count for at in copied):
        return []  # rows that became columns
    return [of.ids[at] for at in reach(copied, of.following) if _takes_together(of, at, count)]


def _copies_rows(row: FunctionRow) -> bool:
    """Whether an operand with fewer rows than the output is copied to all of them."""
    op = op_of(row["name"])
    return op in ("expand", "repeat", *_ELEMENTWISE) or is_kind(row["name"], *_ELEMENTWISE_KINDS)


def _has_rows(row: FunctionRow, count: int) -> bool:
    """Whether an operand without a gradient may be different for each row."""
    return any(count in item.get("shape", ()) for item in row.get("constants", ()))


def _takes_together(of: Topology, at: int, count: int) -> bool:
    """Whether a Node makes one of all rows of its input, or takes one of them."""
    row, inputs = of.functions[at], of.following(at)
    if op_of(row["name"]) not in _ALONG or len(inputs) != 1:
        return False
    sizes = row["attributes"].get("self_sym_sizes") or _shape(of.functions[inputs[0]]["gradient"])
    if not sizes or sizes[0] != count or len(sizes) < 2:
        return False
    shape = _shape(row["gradient"])
    has_left = shape is None or len(shape) < len(sizes) or shape[0] == 1
    return has_left and "dim" in row["attributes"] and 0 in _dimensions(row, len(sizes))


def _is_loss(row: FunctionRow) -> bool:
    """Whether a Node makes one number of all rows."""
    return op_of(row["name"]) in _REDUCTIONS and _shape(row["gradient"]) == []


def _operands(of: Topology, at: int, count: int) -> list[int]:
    """The Nodes whose rows become the same rows of the output of a Node."""
    row, found = of.functions[at], list[int]()
    if (_rows_out(row) or 1) % count:
        return []
    positions = row.get("slot_positions")
    for slot, target in enumerate(of.following(at)):
        position = slot if positions is None or slot >= len(positions) else positions[slot]
        if _keeps(row, position, _shape(of.functions[target]["gradient"]), count):
            found.append(target)
    return found


def _constants(row: FunctionRow, count: int) -> Iterator[Constant]:
    """The operands without a gradient whose rows a Node takes."""
    for constant in row.get("constants", ()):
        if _keeps(row, constant["position"], constant.get("shape"), count):
            yield constant


def _keeps(row: FunctionRow, position: int, shape: list[int] | None, count: int) -> bool:
    """Whether the rows of an operand become rows of the output, or of the elements of which it is the sum."""
    op, out = op_of(row["name"]), _shape(row["gradient"])
    if is_kind(row["name"], NodeKind.RESHAPES):
        return bool(shape) and bool(out) and not any(sizes[0] % count for sizes in (shape, out) if sizes)
    if not shape or shape[0] % count or (out and shape[0] != out[0]):
        return False
    if op in _BY_OPERAND:
        return position in _BY_OPERAND[op]
    if op in _ALONG:
        return 0 not in _dimensions(row, len(shape))
    is_elementwise = op in _ELEMENTWISE or is_kind(row["name"], *_ELEMENTWISE_KINDS)
    return is_elementwise and out is not None and len(out) in (0, len(shape))


def _dimensions(row: FunctionRow, rank: int) -> set[int]:
    """The dimensions along which a Node works; 0 among them if that is not known."""
    given = [row["attributes"][key] for key in ("dim", "dim0", "dim1") if key in row["attributes"]]
    flat = [item for one in given for item in (one if isinstance(one, (list, tuple)) else [one])]
    if not flat or not all(isinstance(item, int) for item in flat):
        return {0}
    return {item % rank if item < 1 << 62 else (item - (1 << 64)) % rank for item in flat}


def _rows_out(row: FunctionRow) -> int | None:
    shape = _shape(row["gradient"])
    return shape[0] if shape else None


def _shape(value: Value) -> list[int] | None:
    """The shape of a gradient; None if there is none, or if it is not known."""
    if is_summary(value):
        return [int(size) for size in value["shape"]]
    if isinstance(value, (int, float, complex)):
        return []
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape if isinstance(value, (int, float, complex)) else None
