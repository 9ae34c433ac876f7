"""A tensor that the script treats as a parameter is not a leaf.

Why it matters: only leaves accumulate a grad. `torch.randn(3, requires_grad=True) * 0.1` is the result of a
multiplication: its grad stays None, and optimizers refuse it.

How to fix it: create the tensor first and call `requires_grad_()` last (`w = (torch.randn(3) *
0.1).requires_grad_()`). To get the gradient of an intermediate result, call its `retain_grad()` before
backward.

Example:

    w = torch.randn(3, requires_grad=True).to(device) * 0.1
    loss = (x @ w).sum()
    loss.backward()
    print(w.grad)        # None
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.analysis.earlier_graphs import earlier_call, made_once, of_its_line, was_updated
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line
from inspector.graph.places import exact_place
from inspector.graph.values import is_unknown
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Non-leaf tensors whose grad was read, or that were given to an optimizer."""
    for event in evidence.events:
        if event["event"] == "refused":
            yield _finding(event.get("parameters", []), "given to an optimizer", Place(event["source"]))
    for places in _read(evidence).values():
        names = [name for name, _ in places]
        yield _finding(names, _READ, places[0][1])
    yield from _computed_once(evidence)


def _computed_once(evidence: Evidence) -> Iterator[Finding]:
    """A tensor that was computed from a leaf before the loop, and that every step uses although steps update
    parameters: `nn.Parameter(…).to(dtype)` as an attribute of a module."""
    for call in evidence.calls_with_all_gradients:
        for row in of_its_line(evidence, call, call.row.setting.contains):
            nodes = made_once(call, row)
            if nodes and call.graph.error is None and was_updated(evidence, earlier_call(evidence, row), call):
                yield _of_nodes(call, nodes)
                return


def _of_nodes(call: BackwardView, nodes: list[str]) -> Finding:
    source = call.location(nodes[0])
    names = [call.tensors[tensor]["name"] for node in nodes for tensor in call.outputs.get(node, ())]
    name = next((name for name in names if name), None)
    leaves = [leaf for leaf in call.leaves_under(nodes) if call.tensors[leaf]["name"] is not None]
    return RULE.found(
        f"{name or 'a tensor'} was computed once{at_line(source)}, and every step uses that result: an update of "
        f"the leaf that it was computed from does not reach it",
        "compute it in every step, or make the parameter last: nn.Parameter(value.to(dtype))",
        at=Place(source, call.index, tuple(nodes)),
        parameters=call.names(leaves) or ([name] if name else call.leaves_affected_by(nodes)),
    )


def _read(evidence: Evidence) -> dict[Any, list[tuple[str, Place]]]:
    """The tensors whose grad was read, by the line that created them."""
    found: dict[Any, list[tuple[str, Place]]] = {}
    for event in evidence.events:
        tensor = event.get("tensor")
        is_read = event["event"] == "read_grad"
        calls = [call for call in evidence.calls if is_read and call.index <= event["after_call"]]
        call = next((call for call in calls[::-1] if tensor in call.tensors), None)
        if call is not None and tensor is not None:
            row = call.tensors[tensor]
            source = event["source"] if is_unknown(row["source"]) else row["source"]
            place = Place(source, call.index, (tensor,))
            found.setdefault(exact_place(source), []).append((call.name(tensor), place))
    return found


def _finding(names: list[str], what: str, place: Place) -> Finding:
    shown = ", ".join(dict.fromkeys(names))
    message = f"{shown} is {what}, but it is not a leaf (an operation computed it), so torch keeps no grad for it"
    advice = "call requires_grad_() after all other operations on it"
    if what == _READ:
        advice += ", or retain_grad() before backward"
    return RULE.found(message, advice, at=place, parameters=names)


_READ = "read for its grad"


RULE = Rule("non-leaf-tensor", "warning", (), check, __doc__)
