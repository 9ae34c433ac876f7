"""A layer or a loss is constant by mathematics, whatever the parameters before it are.

Why it matters: what is normalised over one element becomes 0 or 1, a difference of a tensor and itself is 0,
and the sum of normalised elements does not depend on what was normalised. The gradient before such a place is
zero, or only a rounding error. A mean over the batch leaves the same prediction for all samples. The code runs,
and its result even looks plausible.

How to fix it: normalise over the features (`nn.LayerNorm(width)`), not over a dimension of one element; give a
batch more than one sample; compare the prediction with a target of its own; weigh the elements of an output before
their sum.

Example:

    model = nn.Sequential(nn.Linear(8, 1), nn.LayerNorm(1))     # always the bias of the norm
    loss = criterion(model(x), y)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

from inspector.diagnosis.analysis.node_ops import is_flat_softmax, is_of_kind, op, operation
from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.batch_rows import where_rows_are_lost
from inspector.graph.node_kinds import NodeKind
from inspector.graph.value_norms import is_zero, value_norm
from inspector.graph.values import Value, is_number, is_summary
from inspector.report import Finding

ROUNDING = 1e-5
"""Largest share of a gradient that rounding errors leave of a uniform one; measured: 3e-8 to 2e-7."""

_NORMS = ("native_layer_norm", "native_group_norm", "native_batch_norm", "softmax")
"""Operations whose output has a fixed sum, so that they take off the mean of a gradient."""

_COMPARES = ("mse_loss", "smooth_l1_loss", "huber_loss", "sub")
_TARGETS = (*_COMPARES, "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")

FEWEST_SAMPLES = 3
"""A batch of two could also be two classes or two features."""

Reason: TypeAlias = tuple[str, str]
"""Why something is constant, and what to change."""

_OVER_ONE = "normalise over the features, not over a dimension of one element"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The Nodes that are constant, in the first call with trained leaves before them."""
    for call in evidence.calls_with_all_gradients:
        for node in call.functions:
            found = _constant(call, node)
            if found is not None:
                yield from _found(evidence, call, node, found)
            yield from _without_samples(evidence, call, node)


def _found(evidence: Evidence, call: BackwardView, node: str, reason: Reason) -> Iterator[Finding]:
    before = call.leaves_affected_by([call.inputs_of(node)[0]])
    harmed = [name for name in before if evidence.is_trained(name)]
    if harmed:
        place = Place(call.location(node), call.index, (node, *call.inputs_of(node)))
        yield RULE.found(*reason, at=place, parameters=harmed)


def _without_samples(evidence: Evidence, call: BackwardView, node: str) -> Iterator[Finding]:
    """For a comparison with a target that differs from sample to sample: what has made the prediction equal."""
    edges = call.next_edges.get(node, [])
    targets = [row for row in call.functions[node].get("constants", ()) if row.get("shape")]
    if op(call, node) not in _TARGETS or len(edges) != 1 or len(targets) != 1 or not _differs(targets[0]["value"]):
        return
    count = targets[0]["shape"][0]
    if count < FEWEST_SAMPLES or _shape(edges[0].gradient)[:1] != [count]:
        return
    for taken in where_rows_are_lost(call.graph, edges[0].target, count)[:1]:
        takes = "takes one index of" if op(call, taken) in ("select", "slice") else "takes together"
        message = (
            f"the prediction is the same for all {count} samples of the batch: {operation(call, taken)} {takes} "
            "dimension 0, and only copies of the result reach the loss"
        )
        yield from _found(evidence, call, taken, (message, "work along another dimension, and keep the batch"))


def _differs(value: Value) -> bool:
    """Whether a tensor has elements that are not equal."""
    if is_summary(value):
        return "min" in value and value["min"] != value["max"]
    return len(set(_numbers(value))) > 1


def _constant(call: BackwardView, node: str) -> Reason | None:
    """Why the output of a Node, or the loss, does not depend on its input, and what to change."""
    edges = call.next_edges.get(node)
    if not edges:
        return None
    return _over_one_element(call, node) or _same_twice(call, node, edges) or _sum_of_normalised(call, node)


def _over_one_element(call: BackwardView, node: str) -> Reason | None:
    called = operation(call, node).removeprefix("Native")
    if _is_norm_of_one(call, node):
        return f"{called} over one element does not depend on its input: the result is always its bias", _OVER_ONE
    if is_flat_softmax(call, node) and is_zero(call.functions[node]["gradient"]):
        return "a softmax over a dimension of size 1 is always 1, whatever its input is", _OVER_ONE
    if _divides_by_own_size(call, node):
        return "a number divided by its own norm is 1 or -1: the norm is over a dimension of size 1", _OVER_ONE
    return None


def _is_norm_of_one(call: BackwardView, node: str) -> bool:
    attributes = call.functions[node]["attributes"]
    if op(call, node) == "native_layer_norm":
        return bool(math.prod(attributes.get("normalized_shape", [0])) == 1)
    if op(call, node) == "native_group_norm":
        sizes = [attributes.get(name) for name in ("HxW", "C", "group")]
        return None not in sizes and sizes[0] == 1 and sizes[1] == sizes[2]
    return False


def _divides_by_own_size(call: BackwardView, node: str) -> bool:
    """Whether a division is `x / x.norm(dim)`, over a dimension of size 1."""
    edges = call.next_edges[node]
    if op(call, node) != "div" or len(edges) != 2:
        return False
    below = edges[1].target
    while is_of_kind(call, below, NodeKind.COVERS, NodeKind.CLAMPS) and len(call.inputs_of(below)) == 1:
        below = call.inputs_of(below)[0]
    shape = _shape(edges[0].gradient)
    dimensions = call.functions[below]["attributes"].get("dim")
    if op(call, below) != "linalg_vector_norm" or not shape or not isinstance(dimensions, list):
        return False
    return call.inputs_of(below) == [edges[0].target] and math.prod(shape[number] for number in dimensions) == 1


def _same_twice(call: BackwardView, node: str, edges: list[GradientEdge]) -> Reason | None:
    """Whether a difference is 0 because both operands are the same, or one is the mean of the other alone."""
    if op(call, node) not in _COMPARES:
        return None
    first = edges[0]
    if len(edges) == 2 and (first.target, first.input_nr) == (edges[1].target, edges[1].input_nr):
        return "a tensor is compared with itself: the difference is always 0", "compare it with another tensor"
    if len(edges) == 2 and _is_own_mean(call, first, edges[1]):
        return "the mean over a dimension of one element is that element: the difference is always 0", _OVER_ONE
    inputs = call.outputs.get(first.target, ())
    own = [cut for cut in call.row.cuts if node in cut["into"] and cut.get("tensor") in inputs]
    if len(edges) == 1 and own and is_zero(first.gradient) and value_norm(call.functions[node]["gradient"]):
        return (
            f"the target is the prediction itself ({own[0].get('code') or own[0]['operation']}): they are equal, "
            "and the gradient is zero",
            "compare it with a target of its own",
        )
    return None


def _is_own_mean(call: BackwardView, value: GradientEdge, mean: GradientEdge) -> bool:
    """Whether an operand is the mean of the other one over dimensions of size 1."""
    below = mean.target
    while is_of_kind(call, below, NodeKind.COVERS) and len(call.inputs_of(below)) == 1:
        below = call.inputs_of(below)[0]
    attributes = call.functions[below]["attributes"]
    sizes, dimensions = attributes.get("self_sym_sizes"), attributes.get("dim")
    if op(call, below) not in ("mean", "mean.dim") or not sizes or not isinstance(dimensions, list):
        return False
    return call.inputs_of(below) == [value.target] and math.prod(sizes[number] for number in dimensions) == 1


def _sum_of_normalised(call: BackwardView, node: str) -> Reason | None:
    """For a norm whose output is only summed up: the gradient is the same for all elements."""
    gradient = call.functions[node]["gradient"]
    if isinstance(gradient, list) and len(gradient) > 1 and set(map(type, gradient[1:])) == {type(None)}:
        gradient = gradient[0]  # of a norm with several outputs
    if op(call, node) not in _NORMS or is_flat_softmax(call, node) or not _is_uniform(gradient):
        return None
    if not _passes_nothing(call, node):
        return None
    called = operation(call, node).removeprefix("Native")
    return (
        f"the sum of what {called} returns does not depend on its input: every element gets the same gradient, "
        "of which only rounding errors pass",
        "compute a loss that weighs the elements differently, as every loss with a target does",
    )


def _passes_nothing(call: BackwardView, node: str) -> bool:
    """Whether at most rounding errors of a gradient reach the input of a Node."""
    arrived, left = call.arrived(node), value_norm(call.next_edges[node][0].gradient)
    return bool(arrived) and left is not None and arrived is not None and left <= ROUNDING * arrived


def _is_uniform(value: Value) -> bool:
    """Whether all elements are equal, and there are several."""
    if is_summary(value):
        return "min" in value and bool(value["min"] == value["max"] != 0)
    numbers = list(_numbers(value))
    return len(numbers) > 1 and len(set(numbers)) == 1


def _numbers(value: Value) -> Iterator[Value]:
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif is_number(value):
        yield value


def _shape(value: Value) -> list[int]:
    """The shape of a value; empty if it is a number or unknown."""
    if is_summary(value):
        return list(value["shape"])
    return [len(value), *(_shape(value[0]) if value else [])] if isinstance(value, list) else []


RULE = Rule("constant-output", "warning", ("gradients",), check, __doc__)
