"""The graph grows from step to step: it contains the previous graph, or something keeps old graphs alive.

Why it matters: a graph holds every tensor that its backward needs. If the graph of each step contains the
previous one, backward takes longer in every iteration and computes gradients for past steps. If a running sum
keeps the old graphs alive, memory use grows until none is left.

How to fix it: keep numbers, not tensors with a graph: `total += loss.item()`, `losses.append(loss.detach())`.
Detach what is carried into the next step: `hidden = hidden.detach()`.

Example:

    total = 0
    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss                 # total += loss.item()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.earlier_graphs import (
    earlier_call,
    leaf_values,
    made_once,
    of_its_line,
    was_updated,
)
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import Contained

LEAST_CHAIN = 3
"""Minimum number of calls without a step, each of which goes on from the graph of the one before."""

FEWEST_ALIVE = 2
"""Minimum number of earlier graphs of the same line that are alive: a single one is normal if a variable (`loss`,
`output`) is only overwritten in the next iteration."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first call whose graph contains that of an earlier call of its line, or at which several are alive."""
    for call in evidence.calls_with_all_gradients:
        if call.graph.error is not None:
            continue
        found = _contains(evidence, call) or _alive(evidence, call)
        if found is not None:
            yield found
            return


def _contains(evidence: Evidence, call: BackwardView) -> Finding | None:
    """The graph contains that of an earlier call, on which a later forward went on."""
    rows = [
        row
        for row in of_its_line(evidence, call, call.row.setting.contains)
        if _carries_over(evidence, call, row) and not made_once(call, row)
    ]
    if not rows:
        return None
    through = rows[-1]["through"]
    node = through[0] if through else call.graph.tensor(call.graph.roots[0])["grad_fn"]
    if node is None:
        return None
    sizes = [len(other.functions) for other in evidence.calls_with_all_gradients if other.index <= call.index]
    return RULE.found(
        f"the graph of backward call {call.index} contains {rows[-1]['nodes']} Nodes of the graph of backward "
        f"call {rows[-1]['backward_call']}, through {call.functions[node]['name']}",
        "detach what is carried over from one step to the next",
        at=Place(call.location(node), call.index, (node,)),
        parameters=_carried(call, node),
        evidence={"nodes": sizes, "contained": rows[-1]["nodes"]},
    )


def _carries_over(evidence: Evidence, call: BackwardView, row: Contained) -> bool:
    """Whether a later forward went on from the graph of an earlier call, which is then part of every later one.

    Calls before a step may add up the losses of a sequence: without an update between them no step may follow.
    """
    if row["root"] or was_updated(evidence, earlier_call(evidence, row), call):
        return True
    chain = [other for other in evidence.calls_from_the_line_of(call) if other.index <= call.index]
    goes_on = all(any(found.get("later") for found in other.row.setting.contains) for other in chain[1:])
    return not evidence.steps and len(chain) >= LEAST_CHAIN and goes_on


def _alive(evidence: Evidence, call: BackwardView) -> Finding | None:
    """Earlier graphs of the same line that are alive outside of this one.

    With other leaves they are those of other losses, which a library computes in one call of the user.
    """
    contained = {row["backward_call"] for row in call.row.setting.contains if row["root"]}
    rows = [
        row
        for row in of_its_line(evidence, call, call.row.setting.alive)
        if row["backward_call"] not in contained
        and row["holder"] is not None
        and leaf_values(earlier_call(evidence, row)).keys() == leaf_values(call).keys()
    ]
    if len(rows) < FEWEST_ALIVE:
        return None
    holders = list(dict.fromkeys(row["holder"] for row in rows if row["holder"] is not None))
    earlier = ", ".join(str(row["backward_call"]) for row in rows)
    return RULE.found(
        f"{' and '.join(holders)} kept the graphs of backward calls {earlier} alive when call {call.index} began",
        "add up numbers, loss.item(), or detached tensors, loss.detach()",
        at=Place(rows[-1]["source"], call.index),
        parameters=holders,
        evidence={"alive": len(rows)},
    )


def _carried(call: BackwardView, node: str) -> list[str]:
    """The name of the nearest named tensor that a Node depends on, as a list; empty if there is none."""
    for other in call.towards_leaves([node]):
        made = () if other in call.leaf_of else call.outputs.get(other, ())
        names = [call.tensors[tensor]["name"] for tensor in made]
        if any(names):
            return [name for name in names if name][:1]
    return []


RULE = Rule("growing-graph", "warning", ("gradients",), check, __doc__)
