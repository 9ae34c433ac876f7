"""`--check`: compare the derivative for each leaf by rules, by autograd and by finite differences."""

from __future__ import annotations

import numpy
from msgspec import Struct

from inspector.derivatives.finite_differences import Evaluation, NotEvaluable, derivatives_by_rules
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.small_tensor import SmallTensor, small_tensor
from inspector.derivatives.total_derivative import root_pair
from inspector.graph import Graph
from inspector.graph.topology import Pair

TOLERANCE = 1e-4
"""Maximum difference between the methods (float32), relative to the largest element of a leaf."""


class LeafCheck(Struct, frozen=True):
    """One leaf and its derivative by three methods; None if a method does not apply, with the reason in `remark`.

    agrees: None if there are not two derivatives to compare.
    """

    leaf: str
    symbol: str | None
    rules: SmallTensor | None
    autograd: SmallTensor | None
    differences: SmallTensor | None
    agrees: bool | None
    remark: str = ""


def check_derivatives(graph: Graph) -> list[LeafCheck]:
    """One row for each leaf, in the order of the graph.

    User code does not run: finite differences evaluate the recorded graph again. Raises NotEvaluable if there is
    nothing to check: no backward, several roots, or a root that is not a single number.
    """
    forward = ForwardReconstruction(graph)
    root = root_pair(forward)
    if root is None:
        raise NotEvaluable("backward did not start from a single number")
    seed = small_tensor(graph[root[0]]["gradient"])
    if seed is None:
        raise NotEvaluable("backward has not run")
    rules = derivatives_by_rules(forward, root, seed.item())
    return [_checked(forward, root, leaf, pair, (rules.get(pair), seed.item())) for leaf, pair in forward.leaves()]


@numpy.errstate(all="ignore")
def _checked(
    forward: ForwardReconstruction, root: Pair, leaf: str, pair: Pair, by_rules: tuple[SmallTensor | None, float]
) -> LeafCheck:
    """by_rules: the derivative by rules, and the gradient that backward started with."""
    rules, seed = by_rules
    row = forward.nodes[leaf]
    symbol = row.get("derivative", {}).get("symbol")
    autograd = small_tensor(row["gradient"])
    if autograd is None:
        reason = "more than 9 elements" if isinstance(row["gradient"], dict) else "no gradient reached it"
        return LeafCheck(leaf, symbol, rules, None, None, None, reason)
    differences, remark = None, ""
    try:
        evaluation = Evaluation(forward, root, pair)
        differences = seed * evaluation.slopes()
        kinks = evaluation.kinks()
        remark = f"kink: slope {kinks[0][0]:.4g} on the left, {kinks[0][1]:.4g} on the right" if kinks else ""
    except NotEvaluable as reason:
        remark = f"no finite differences: {reason}"
    # At a kink the two slopes differ, and torch returns one of them or a value between them.
    others = [way for way in (rules, None if remark else differences) if way is not None]
    agrees = all(_alike(way, autograd) for way in others) if others else None
    return LeafCheck(leaf, symbol, rules, autograd, differences, agrees, remark)


def _alike(one: SmallTensor, other: SmallTensor) -> bool:
    """Whether two derivatives of one leaf agree. The tolerance depends on the largest element; NaN equals NaN."""
    largest = numpy.abs(other[numpy.isfinite(other)]).max(initial=0.0)
    return one.size == other.size and numpy.allclose(
        one.ravel(), other.ravel(), rtol=0.0, atol=TOLERANCE * largest, equal_nan=True
    )
