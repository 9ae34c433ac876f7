"""The first operation whose output is NaN or infinite, or the input that was not finite.

Why it matters: NaN spreads to everything that is computed from it. One step with it makes every parameter NaN,
and the run is lost; the loss only shows that it happened, not where.

How to mend it: keep the operation away from where it is not defined (log and division at 0, sqrt below 0, exp
of large numbers): clamp its input, add a small number inside of it, or use the stable form (`log_softmax`,
`logsumexp`, `binary_cross_entropy_with_logits`). Clean data before it is used: `torch.nan_to_num`, a check with
`torch.isfinite`.

Example:

    x = (x - x.mean(0)) / x.std(0)      # a column that never varies: 0 / 0
    loss = F.mse_loss(model(x), y)      # NaN
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.call import Call
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.finite import first_broken, harmed, holds, is_bad, kind, output, root_kind
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line, operation
from inspector.report import Finding

_MASKS = (
    "MaskedFillBackward0",
    "MaskedFillBackward1",
    "MaskedScatterBackward0",
    "WhereBackward0",
    "IndexPutBackward0",
)
"""What puts infinities into a tensor on purpose."""

_SUMS = ("AddBackward0", "SubBackward0")
"""What puts infinities into a tensor on purpose where one of the summands holds them: `scores + mask`."""

_CREATORS = frozenset(
    [
        "AcosBackward0",
        "AcoshBackward0",
        "AsinBackward0",
        "AtanhBackward0",
        "BmmBackward0",
        "CumprodBackward0",
        "DivBackward0",
        "ExpBackward0",
        "Expm1Backward0",
        "LinalgInvExBackward0",
        "LogBackward0",
        "Log10Backward0",
        "Log1PBackward0",
        "Log2Backward0",
        "LogitBackward0",
        "PowBackward0",
        "PowBackward1",
        "ProdBackward0",
        "ReciprocalBackward0",
        "RsqrtBackward0",
        "SinhBackward0",
        "SoftmaxBackward0",
        "SqrtBackward0",
        "StdBackward0",
        "VarBackward0",
        "XlogyBackward0",
    ]
)
"""Operations that make NaN or infinities of ordinary numbers: of several that may have, these are named first."""

_ADVICE = {
    "LogBackward0": "keep its argument above 0: clamp(min=1e-8), or a stable form (log_softmax, logsigmoid)",
    "Log2Backward0": "keep its argument above 0: clamp(min=1e-8)",
    "Log10Backward0": "keep its argument above 0: clamp(min=1e-8)",
    "DivBackward0": "keep the divisor away from 0: add a small number, or clamp it",
    "ReciprocalBackward0": "keep the divisor away from 0: add a small number, or clamp it",
    "SqrtBackward0": "keep its argument at or above 0: clamp(min=0), or add a small number",
    "RsqrtBackward0": "keep its argument above 0: add a small number inside of it",
    "ExpBackward0": "keep its argument below 88 (the largest float32 is exp(88.7)): clamp it, or use logsumexp",
    "SoftmaxBackward0": "leave at least one entry of every row unmasked, or replace the NaN of rows without any",
    "StdBackward0": "give it more than one element: the standard deviation of a single one is NaN",
    "VarBackward0": "give it more than one element: the variance of a single one is NaN",
}
_OTHER_ADVICE = "keep its input where it is defined and not too large for its type"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The birth of what made a root NaN or infinite, in the first call that is not finite."""
    call = first_broken(evidence)
    if call is None or root_kind(call) not in ("inf", "nan"):
        return
    births = list(_births(call))
    if not births:
        return
    birth = max(births, key=lambda node: _turn(call, node))
    if birth in call.leaf_of:
        yield _of_leaf(evidence, call, birth)
    else:
        finding = _of_node(call, birth)
        if call.row.scale is not None and root_kind(call) == "inf" and birth in _starts(call):
            finding["severity"] = "note"  # the scale made it so: a GradScaler skips the step and lowers it
        yield finding


def _births(call: Call) -> Iterator[str]:
    """The Nodes at which what is wrong with the roots began."""
    starts = _starts(call)
    seen = {node for node in starts if _kind(call, node) in ("inf", "nan")}
    waiting = [node for node in starts if node in seen]
    for node in waiting:  # grows while it is walked
        below = _worse_below(call, node)
        if not below:
            yield _likely(call, node)
        for other in below:
            if other not in seen:
                seen.add(other)
                waiting.append(other)


def _worse_below(call: Call, node: str) -> list[str]:
    """The inputs of a Node, if they are known, that explain what it holds."""
    inputs = _known_inputs(call, node)
    nans = [other for other in inputs if _kind(call, other) == "nan"]
    infinite = [other for other in inputs if _kind(call, other) == "inf"]
    if _kind(call, node) == "nan" and not nans:
        return [other for other in infinite if not _is_mask(call, other)]
    return nans or infinite


def _known_inputs(call: Call, node: str) -> list[str]:
    """The nearest Nodes below whose output is known."""
    return [other for other in _below(call, node) if kind(output(call, other)) is not None]


def _below(call: Call, node: str) -> Iterator[str]:
    """The Nodes below, down to the nearest on each way whose output is known."""
    waiting = [edge.target for edge in call.next_edges.get(node, ())]
    seen = set(waiting)
    for other in waiting:  # grows while it is walked
        yield other
        if kind(output(call, other)) is None:
            new = [edge.target for edge in call.next_edges.get(other, ()) if edge.target not in seen]
            seen.update(new)
            waiting += new


def _likely(call: Call, node: str) -> str:
    """Where it began, if the Nodes between a bad output and the finite ones below were not all seen: the lowest of
    them that can make such numbers."""
    unseen = [other for other in _below(call, node) if kind(output(call, other)) is None]
    creators = [other for other in (node, *unseen) if call.functions[other]["name"] in _CREATORS]
    return creators[-1] if creators else node


def _is_mask(call: Call, node: str) -> bool:
    """Whether a Node holds infinities on purpose: it put them there, or handed on what did."""
    while call.functions[node]["name"] not in _MASKS:
        if call.functions[node]["name"] in _SUMS and not any(
            is_bad(output(call, other)) for other in _known_inputs(call, node)
        ):
            return True
        bad = [other for other in _known_inputs(call, node) if is_bad(output(call, other))]
        if len(bad) != 1:
            return False
        node = bad[0]
    return True


def _of_leaf(evidence: Evidence, call: Call, node: str) -> Finding:
    leaf = call.leaf_of[node]
    row = call.tensors[leaf]
    source = row["source"]
    if not isinstance(source, dict) or "line" not in source:
        source = call.location(next(edge.source for edge in call.incoming[node]))
    steps = [event for event in evidence.events if event["event"] == "step" and event["after_call"] < call.index]
    if call.index > 1 and steps:
        source = steps[-1]["source"]
        when, advice = " since the last step", "lower the learning rate, or clip the gradients"
    else:
        when, advice = " before the forward", "initialise it with finite numbers"
    return RULE.found(
        f"`{call.name(leaf)}` holds {holds(row['before']['data'])}{when}, and so does what is computed from it",
        advice,
        at=Place(source, call.index, (leaf, node)),
        parameters=harmed(call, node),
        evidence={"data": row["before"]["data"]},
    )


def _of_node(call: Call, node: str) -> Finding:
    row = call.functions[node]
    given = _given(call, node)
    constants = [(name, tensor) for name, tensor in _constants(call, node) if is_bad(tensor["before"]["data"])]
    masked = [other for other in _known_inputs(call, node) if _kind(call, other) == "inf"]
    source, advice = call.location(node), _ADVICE.get(row["name"], _OTHER_ADVICE)
    made = f"{operation(row['name'])}{at_line(source)}"
    if given is not None and not masked:
        source, advice = given["source"] or source, "keep it finite, or clean it before it is used"
        called = given["code"] or given["operation"]
        message = f"{called} gave NaN or infinity where no gradient is recorded, and {made} used it"
    elif constants and not masked:
        name, tensor = constants[0]
        called = tensor["name"] or name
        message = f"`{called}`, which {made} was given, holds {holds(tensor['before']['data'])}"
        advice = "clean the data before it is used: torch.isfinite shows where, torch.nan_to_num replaces"
    else:
        inputs = "inputs that a mask made infinite" if masked else "finite inputs"
        message = f"{made} made {holds(output(call, node))} of {inputs}, and it reaches the root"
    return RULE.found(
        message,
        advice,
        at=Place(source, call.index, (node,)),
        parameters=harmed(call, node),
        evidence={"output": output(call, node), "root": call.tensors[call.graph.roots[0]]["before"]["data"]},
    )


def _given(call: Call, node: str) -> dict[str, Any] | None:
    """What made an input without a graph not finite; of several Nodes of an operation the last one says so."""
    source = call.functions[node]["source"]
    for other in call.towards_root([node]):
        if call.functions[other]["source"] != source:
            return None
        if call.functions[other].get("given"):
            found: dict[str, Any] = call.functions[other]["given"]
            return found
    return None


def _constants(call: Call, node: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, identifier in call.saved[node].items():
        if not call.tensors[identifier]["requires_grad"]:
            yield name, call.tensors[identifier]


def _kind(call: Call, node: str) -> str | None:
    return kind(output(call, node))


def _turn(call: Call, node: str) -> int:
    """The engine runs last what the forward made first."""
    step = call.functions[node]["step"]
    return step if isinstance(step, int) else 0


def _starts(call: Call) -> list[str]:
    """The Nodes of the roots."""
    return [str(call.tensors[root]["grad_fn"] or _accumulates(call, root)) for root in call.graph.roots]


def _accumulates(call: Call, leaf: str) -> str | None:
    return next((node for node, other in call.leaf_of.items() if other == leaf), None)


RULE = Rule("non-finite-forward", "error", ("gradients",), check, __doc__)
