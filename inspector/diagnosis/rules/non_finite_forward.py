"""The first operation whose output is NaN or infinite, or the input that was not finite.

Why it matters: NaN spreads to everything computed from it. A single step with NaN gradients makes every
parameter NaN. The loss shows that this happened, but not where.

How to fix it: keep the operation inside its domain (log and division at 0, sqrt below 0, exp of large
numbers): clamp its input, add a small number to the input, or use a stable form (`log_softmax`, `logsumexp`,
`binary_cross_entropy_with_logits`). Clean the data first: check it with `torch.isfinite` or use
`torch.nan_to_num`.

Example:

    x = (x - x.mean(0)) / x.std(0)      # a column that never varies: 0 / 0
    loss = F.mse_loss(model(x), y)      # NaN
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.earlier_graphs import leaf_values
from inspector.diagnosis.analysis.node_ops import op, operation
from inspector.diagnosis.analysis.nonfinite_origin import (
    forward_origin_starts,
    forward_origins,
    kind_of,
    known_inputs,
    root_nodes,
    saved_constants,
)
from inspector.diagnosis.analysis.nonfinite_values import (
    affected_leaves,
    first_nonfinite_call,
    holds,
    is_nonfinite,
    output,
    root_kind,
)
from inspector.diagnosis.analysis.outstanding_rows import add_rows
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line
from inspector.graph.row_types import Given
from inspector.report import Finding

_ADVICE = {
    "log": "keep its argument above 0: clamp(min=1e-8), or a stable form (log_softmax, logsigmoid)",
    "log2": "keep its argument above 0: clamp(min=1e-8)",
    "log10": "keep its argument above 0: clamp(min=1e-8)",
    "div": "keep the divisor away from 0: add a small number, or clamp it",
    "reciprocal": "keep the divisor away from 0: add a small number, or clamp it",
    "sqrt": "keep its argument at or above 0: clamp(min=0), or add a small number",
    "rsqrt": "keep its argument above 0: add a small number to it",
    "exp": "keep its argument below 88 (the largest float32 is exp(88.7)): clamp it, or use logsumexp",
    "softmax": "leave at least one entry unmasked in every row, or replace the NaN of fully masked rows",
    "ctc_loss": "make the inputs longer than their targets (equal labels in a row need a blank between them), or "
    "pass zero_infinity=True",
    "std": "pass more than one element: the standard deviation of a single element is NaN",
    "var": "pass more than one element: the variance of a single element is NaN",
}
_OF_NOTHING = "leave out the term where nothing is selected, or divide its sum by a count with clamp(min=1)"
_OTHER_ADVICE = "keep its input inside its domain and small enough for its dtype"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The origin of the non-finite values in the first non-finite call."""
    call = first_nonfinite_call(evidence)
    births = [] if call is None else list(forward_origins(call, forward_origin_starts(call)))
    if call is None or not births:
        return
    birth = max(births, key=lambda node: _turn(call, node))
    if birth in call.leaf_of:
        if not _is_known(evidence, call):
            yield _of_leaf(evidence, call, birth)
    else:
        finding = _of_node(call, birth)
        add_rows(finding, call, root_nodes(call), "not_finite")
        if call.row.setting.scale is not None and root_kind(call) == "inf" and birth in root_nodes(call):
            finding.severity = "note"  # the scale caused it: a GradScaler skips the step and lowers the scale
        yield finding


def _is_known(evidence: Evidence, call: BackwardView) -> bool:
    """Whether the leaves are not finite because of gradients that an earlier step of the timeline used."""
    step = call.row.setting.step
    return step is not None and any(found["step"] < step for found in evidence.triggers("gradient_not_finite"))


def _of_leaf(evidence: Evidence, call: BackwardView, node: str) -> Finding:
    leaf = call.leaf_of[node]
    row = call.tensors[leaf]
    source = row["source"]
    if not isinstance(source, dict) or "line" not in source:
        source = call.location(next(edge.source for edge in call.incoming[node]))
    steps = [event for event in evidence.events if event["event"] == "step" and event["after_call"] < call.index]
    if call.index > 1 and steps and not _was_before(evidence, call, call.name(leaf)):
        source = steps[-1]["source"]
        when, advice = " since the last step", "lower the learning rate, or clip the gradients"
    else:
        when, advice = " before the forward", "initialise it with finite numbers"
    return RULE.found(
        f"`{call.name(leaf)}` holds {holds(row['before']['data'])}{when}, and so does everything computed from it",
        advice,
        at=Place(source, call.index, (leaf, node)),
        parameters=affected_leaves(call, node),
        evidence={"data": row["before"]["data"]},
    )


def _was_before(evidence: Evidence, call: BackwardView, name: str) -> bool:
    """Whether a leaf was not finite in an earlier call either, in which its elements may not have been used."""
    return any(
        is_nonfinite(value)
        for earlier in evidence.calls
        if earlier.index < call.index
        for other, value in leaf_values(earlier).items()
        if other == name
    )


def _of_node(call: BackwardView, node: str) -> Finding:
    given = _given(call, node)
    constants = [pair for pair in saved_constants(call, node) if is_nonfinite(pair[1]["before"]["data"])]
    masked = [other for other in known_inputs(call, node) if kind_of(call, other) == "inf"]
    source, advice = call.location(node), _ADVICE.get(op(call, node), _OTHER_ADVICE)
    made = f"{operation(call, node)}{at_line(source)}"
    if given is not None and not masked:
        source, advice = given["source"] or source, "keep it finite, or clean it before use"
        called = given["code"] or given["operation"]
        message = f"{called} returned NaN or infinity where no gradient is recorded, and {made} used it"
    elif constants and not masked:
        name, tensor = constants[0]
        called = tensor["name"] or name
        message = f"`{called}`, an input of {made}, holds {holds(tensor['before']['data'])}"
        advice = "clean the data before use: torch.isfinite finds the entries, torch.nan_to_num replaces them"
    else:
        reaches = "reaches the root" if root_kind(call) != "finite" else "makes the gradients NaN"
        inputs = "inputs made infinite by a mask" if masked else "finite inputs"
        message = f"{made} computed {holds(output(call, node))} from {inputs}, and this {reaches}"
        if (averaged := _averages_nothing(call, node)) is not None:
            message = f"{made} averaged 0 elements{averaged}, which is NaN, and this {reaches}"
            advice = _OF_NOTHING
    return RULE.found(
        message,
        advice,
        at=Place(source, call.index, (node,)),
        parameters=affected_leaves(call, node),
        evidence={"output": output(call, node), "root": call.tensors[call.graph.roots[0]]["before"]["data"]},
    )


def _averages_nothing(call: BackwardView, node: str) -> str | None:
    """Why the mean that a Node took has no elements, as an addition to a sentence; None if it has elements or is
    none."""
    attributes, saved = call.functions[node]["attributes"], call.saved[node]
    if op(call, node) not in ("mean", "mean.dim") and attributes.get("reduction") != _MEAN:
        return None
    of_saved = call.tensors[saved["self"]]["shape"] if "self" in saved else None
    sizes = attributes.get("self_sym_sizes") or of_saved
    if isinstance(sizes, (list, tuple)) and 0 in sizes:
        return ""
    counted = call.tensors[saved["total_weight"]]["before"]["data"] if "total_weight" in saved else None
    return " (all targets are ignored, or their classes have a weight of 0)" if counted == 0 else None


_MEAN = 1
"""`reduction="mean"`, as torch's losses store it."""


def _given(call: BackwardView, node: str) -> Given | None:
    """The operation that made an input without a graph non-finite; stored at the last Node of an operation."""
    source = call.functions[node]["source"]
    for other in call.towards_root([node]):
        if call.functions[other]["source"] != source:
            return None
        if call.functions[other].get("given"):
            found: Given = call.functions[other]["given"]
            return found
    return None


def _turn(call: BackwardView, node: str) -> int:
    """The step of a Node: the engine runs last the Node that the forward created first."""
    step = call.functions[node]["step"]
    return step if isinstance(step, int) else 0


RULE = Rule("non-finite-forward", "error", ("gradients",), check, __doc__)
