"""The curves of a plot: the root as a function of each scalar leaf, and the slope at the leaf's value."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from inspector.derivatives.finite_differences import Evaluation, NotEvaluable
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.small_tensor import small_tensor, values_agree
from inspector.derivatives.total_derivative import root_pair
from inspector.graph import Graph
from inspector.graph.topology import Pair
from inspector.graph.values import Value
from inspector.plots.sampled_curve import Curve, sample

MOST_SLICES = 4
"""Maximum number of curves on a slide."""

_AGREEMENT = 1e-3
"""Relative tolerance between the slope of the curve and autograd's gradient, in float32."""


class Slice(Struct, frozen=True):
    """The root along one leaf, all others fixed.

    leaf: its id. at, height: the leaf's and the root's value in the script. slope: autograd's, else the slope of
    the curve. symbol: the formula of the slope, or None. grad: the leaf's `grad` after backward.
    """

    leaf: str
    at: float
    height: float
    slope: float
    symbol: str | None
    grad: Value
    curve: Curve


def slices(graph: Graph, leaves: Sequence[str] | None = None) -> tuple[list[Slice], list[str]]:
    """The slices along the leaves with these ids (None: all scalar leaves), and remarks about missing slices.

    Raises NotEvaluable, with the reason in one line, if there is nothing to draw.
    """
    forward = ForwardReconstruction(graph)
    evaluations, remarks = _evaluations(forward, leaves)
    return [_slice(graph, forward, leaf, evaluation, remarks) for leaf, evaluation in evaluations], remarks


def why_no_plot(graph: Graph) -> str | None:
    """The reason why a graph has no plot, in one line; None if it has one."""
    try:
        _evaluations(ForwardReconstruction(graph), None)
    except NotEvaluable as reason:
        return str(reason)
    return None


def _evaluations(
    forward: ForwardReconstruction, leaves: Sequence[str] | None
) -> tuple[list[tuple[str, Evaluation]], list[str]]:
    root = root_pair(forward)
    if root is None:
        raise NotEvaluable("no curve: backward did not start from a single number with a grad_fn")
    pairs, nodes = dict(forward.leaves()), forward.nodes
    wanted = [leaf for leaf in (leaves if leaves is not None else pairs) if leaf in pairs]
    numbers = [leaf for leaf in wanted if nodes[leaf]["shape"] in ([], [1])]
    if not numbers:
        raise NotEvaluable("no curve: no leaf is a single number")
    found: list[tuple[str, Evaluation]] = []
    remarks: list[str] = []
    for leaf in numbers[:MOST_SLICES]:
        try:
            found.append((leaf, _evaluation(forward, root, pairs[leaf])))
        except NotEvaluable as reason:
            name = nodes[leaf]["name"] or "a leaf without a name"
            remarks.append(f"no curve along {name}: {reason}")
    if not found:
        raise NotEvaluable(remarks[0])
    if len(numbers) > MOST_SLICES:
        remarks.append(f"only the first {MOST_SLICES} of {len(numbers)} leaves have a curve")
    return found, remarks


def _evaluation(forward: ForwardReconstruction, root: Pair, leaf: Pair) -> Evaluation:
    evaluation = Evaluation(forward, root, leaf)
    if not math.isfinite(evaluation.along(evaluation.at.item())):
        raise NotEvaluable("the root is not finite there")
    return evaluation


def _slice(
    graph: Graph, forward: ForwardReconstruction, leaf: str, evaluation: Evaluation, remarks: list[str]
) -> Slice:
    row = graph.tensor(leaf)
    at = evaluation.at.item()
    height = evaluation.along(at)
    of_curve = evaluation.slopes().item()
    root = root_pair(forward)
    seed = None if root is None else small_tensor(graph[root[0]]["gradient"])
    gradient = small_tensor(row["gradient"])
    slope = of_curve
    if seed is not None and gradient is not None and seed.item():
        slope = gradient.item() / seed.item()
        if not (values_agree(slope, of_curve, _AGREEMENT) or abs(slope - of_curve) < 1e-6 or evaluation.kinks()):
            difference = f"autograd's slope {slope:.4g} differs from the slope of the curve, {of_curve:.4g}"
            remarks.append(f"{difference}: a hook or a custom Function is on the path")
    symbol = row["derivative"]["symbol"] if "derivative" in row else None
    curve = sample(evaluation.along, at)
    return Slice(leaf, at, height, slope + 0.0, symbol, row["after"]["grad"], curve)
