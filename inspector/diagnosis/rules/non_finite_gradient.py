"""The Node where a finite gradient became NaN or infinite, although the forward was finite.

Why it matters: the loss looks normal, but the next step makes parameters NaN. `torch.where` does not help:
the gradient of the branch it did not choose is 0, and 0 times infinity is NaN. Where gradients are unknown,
as under compiled autograd, the grads that backward leaves show that there is such a Node, but not which one.

How to fix it: change the input of the operation, not its result: `sqrt(x + 1e-12)`, `acos(x.clamp(-0.999,
0.999))`. With `where`, choose a safe input first: `torch.where(x > 0, torch.where(x > 0, x, 1.0).log(),
0.0)`.

Example:

    distance = ((a - b) ** 2).sum().sqrt()      # a == b: the derivative of sqrt at 0 is infinite
    distance.backward()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.node_ops import op, operation
from inspector.diagnosis.analysis.nonfinite_origin import (
    forward_origin_starts,
    gradient_origins,
    nested_origin,
)
from inspector.diagnosis.analysis.nonfinite_values import (
    affected_leaves,
    first_nonfinite_call,
    is_nonfinite,
    kind,
    nonfinite_ends,
    output,
    root_kind,
)
from inspector.diagnosis.analysis.outstanding_rows import add_rows
from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line, number
from inspector.graph.node_names import op_of, without_backward
from inspector.graph.value_norms import value_norm
from inspector.graph.values import flat_elements, is_unknown
from inspector.report import Finding

_WHY = {
    "acos": ("the derivative of acos at -1 and 1 is infinite", "clamp its argument to less than 1"),
    "asin": ("the derivative of asin at -1 and 1 is infinite", "clamp its argument to less than 1"),
    "acosh": ("the derivative of acosh at 1 is infinite", "clamp its argument to more than 1"),
    "atanh": ("the derivative of atanh at -1 and 1 is infinite", "clamp its argument to less than 1"),
    "atan2": ("the derivative of atan2 at (0, 0) is 0 / 0", "keep its arguments away from (0, 0)"),
    "div": ("its divisor is 0, or too small for its square", "add a small number to the divisor"),
    "exp": ("its result is infinite", "clamp its argument"),
    "linalg_eigh": ("two eigenvalues are equal", "use the eigenvalues only, or add noise to the matrix"),
    "linalg_svd": ("two singular values are equal", "use the singular values only"),
    "log": ("the derivative of log at 0 is infinite", "keep its argument above 0: clamp(min=1e-8)"),
    "log2": ("the derivative of log at 0 is infinite", "keep its argument above 0: clamp(min=1e-8)"),
    "logit": ("the derivative of logit at 0 and 1 is infinite", "pass eps=1e-6"),
    "pow.Tensor_Scalar": (
        "the derivative of a power below 1 at 0 is infinite",
        "add a small number to its base",
    ),
    "pow.Tensor_Tensor": ("the derivative of this power at 0 is infinite", "keep its base above 0"),
    "reciprocal": ("its argument is 0", "add a small number to its argument"),
    "rsqrt": ("the derivative of 1 / sqrt at 0 is infinite", "add a small number to its argument"),
    "sqrt": (
        "the derivative of sqrt at 0 is infinite",
        "add a small number to its argument: sqrt(x + 1e-12)",
    ),
}
_OTHER_ADVICE = "keep its input where its derivative is finite"
_BEHIND = "; masking its result does not help, because 0 times infinity is NaN: mask its input instead"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The origin, in the first call with a non-finite gradient and a finite root."""
    for call in evidence.calls:
        if call.row.setting.scale is not None and root_kind(call) == "finite" and nonfinite_ends(call):
            yield from _found(call, skipped=True)
    first = first_nonfinite_call(evidence)
    if first is not None and not forward_origin_starts(first):
        yield from _found(first, skipped=False)


def _found(call: BackwardView, *, skipped: bool) -> Iterator[Finding]:
    """skipped: whether a GradScaler skips the step with these gradients."""
    births = sorted(gradient_origins(call), key=lambda node: _turn(call, node))
    if births:
        finding = _at_origin(call, births[0])
    else:
        ends = [node for node in nonfinite_ends(call) if is_unknown(call.functions[node]["gradient"])]
        if not ends or root_kind(call) != "finite":
            return
        finding = _without_origin(call, ends)
    if skipped:
        finding.severity = "note"
        finding.message += f"; a GradScaler (scale {number(call.row.setting.scale or 0)}) skips such a step"
    yield finding


def _without_origin(call: BackwardView, ends: list[str]) -> Finding:
    """ends: the Nodes of leaves whose grads are not finite. What arrived at Nodes is unknown."""
    became = {kind(call.tensors[call.leaf_of[node]]["after"]["grad"]) for node in ends}
    reason = call.functions[ends[0]]["gradient"]["unknown"]
    return RULE.found(
        f"backward left {'NaN' if 'nan' in became else 'infinity'} in grads although the root is finite; "
        f"the Node that caused it is unknown: {reason}",
        "inspect a run in which gradients are recorded, for example without compiled autograd",
        at=Place(call.row.location, call.index, tuple(ends)),
        parameters=affected_leaves(call, ends[0]),
    )


def _at_origin(call: BackwardView, node: str) -> Finding:
    source, inner = call.location(node), nested_origin(call, node)
    edges = [edge for edge in call.next_edges.get(node, ()) if is_nonfinite(edge.gradient)]
    became = (
        "NaN" if any(kind(edge.gradient) == "nan" for edge in edges) else "infinite" if edges else "not finite"
    )
    why, advice = _WHY.get(op(call, node), (_overflow(call, node, edges), _OTHER_ADVICE))
    arrived = call.arrived(node)
    given = "" if arrived is None else f" (norm {number(arrived)})"
    culprit = f"{operation(call, node)}{at_line(source)}"
    if inner is not None:
        culprit, given = f"{without_backward(inner['name'])} in the graph that {culprit} ran in backward", ""
        why, advice = _WHY.get(op_of(inner["name"]), ("its derivative there is not finite", _OTHER_ADVICE))
    finding = RULE.found(
        f"{culprit} received a finite gradient{given} and made it {became}: {why}",
        advice + (_BEHIND if became == "NaN" and _may_be_masked(call, node) else ""),
        at=Place(source, call.index, (node, *dict.fromkeys(edge.target for edge in edges))),
        parameters=affected_leaves(call, node),
        evidence={"arrived": call.functions[node]["gradient"], "slots": [edge.slot for edge in edges]},
    )
    add_rows(finding, call, finding.nodes, "not_finite")
    return finding


def _turn(call: BackwardView, node: str) -> int:
    """The step of a Node in the engine's order; every origin of a gradient has one."""
    step = call.functions[node]["step"]
    return step if isinstance(step, int) else 0


def _overflow(call: BackwardView, node: str, edges: list[GradientEdge]) -> str:
    if is_nonfinite(output(call, node)):
        return "its result is not finite and was not used for the root"
    for name, identifier in call.saved[node].items():
        if is_nonfinite(call.tensors[identifier]["before"]["data"]):
            return f"the saved tensor `{name}` is not finite"
    if any(kind(edge.gradient) == "nan" for edge in edges):
        return "its derivative is undefined at its input"
    return "the product is too large for its dtype"


def _may_be_masked(call: BackwardView, node: str) -> bool:
    """Whether elements of the gradient that arrived are zero, as before a `where`."""
    row = call.functions[node]["gradient"]
    if isinstance(row, dict):
        return bool(row.get("zeros"))
    return value_norm(row) == 0 or (isinstance(row, list) and 0.0 in flat_elements(row))


RULE = Rule("non-finite-gradient", "error", ("grads",), check, __doc__)
