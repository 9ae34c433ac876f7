"""backward() went through a graph whose buffers an earlier backward had already freed.

Why it matters: backward frees the saved tensors of a graph as it runs. A second backward that reaches the
same Nodes cannot continue, and torch raises. Usually the graph was shared by mistake: a hidden state, a
running loss or a tensor computed once before the loop carries the graph of the last iteration into the next.

How to fix it: detach what is carried over (`hidden = hidden.detach()`), recompute what is shared in each
iteration, or add the losses and call backward once. Use `retain_graph=True` only if backward is meant to run
twice through one graph.

Example:

    for x in sequence:
        output, hidden = rnn(x, hidden)      # hidden = hidden.detach() first
        criterion(output, y).backward()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.earlier_graphs import made_once, of_its_line
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding

_SECOND_TIME = "Trying to backward through the graph a second time"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The call that torch refused, and the earlier call that freed its graph."""
    for call in evidence.calls:
        if call.graph.error is not None and _SECOND_TIME in call.graph.error:
            yield _found(evidence, call)


def _found(evidence: Evidence, call: BackwardView) -> Finding:
    released = [
        node
        for node, row in call.functions.items()
        if any(saved["before"] == "released" for saved in row["saved"])
    ]
    shared = call.row.setting.contains[-1] if call.row.setting.contains else None
    nodes = [*(shared["through"] if shared else ()), *released]
    earlier = None if shared is None else _line(evidence, shared["backward_call"])
    which = "an earlier backward call" if shared is None else f"backward call {shared['backward_call']}{earlier}"
    count = "" if shared is None else f" {shared['nodes']} of its {len(call.functions)} Nodes are in that graph."
    again = [] if shared is None else of_its_line(evidence, call, [shared])
    once = [node for row in again for node in made_once(call, row)]
    if once:
        return _made_once(call, once, earlier or "", nodes)
    through = f" They are reached through {call.functions[nodes[0]]['name']}." if nodes and shared else ""
    return RULE.found(
        f"backward reached Nodes whose buffers {which} had already freed.{count}{through}",
        "detach what is carried over from the earlier graph, or recompute it; retain_graph=True in the earlier "
        "call only if both are meant to use it",
        at=Place(call.row.location, call.index, tuple(nodes)),
        parameters=call.leaves_affected_by(nodes or call.functions),
        evidence={"released_by": None if shared is None else shared["backward_call"]},
    )


def _made_once(call: BackwardView, shared: list[str], earlier: str, nodes: list[str]) -> Finding:
    """A tensor computed before the loop or outside of the closure, of which every backward needs the graph."""
    first = shared[0]
    name = next((call.name(tensor) for tensor in call.outputs.get(first, ())), call.functions[first]["name"])
    return RULE.found(
        f"{name} was computed once, and the first backward{earlier} freed its graph, through which the next one "
        "cannot go",
        "compute it anew for each backward: inside the loop or the closure",
        at=Place(call.location(first), call.index, (first, *nodes)),
        parameters=call.leaves_affected_by([first]),
        evidence={"shared": len(shared)},
    )


def _line(evidence: Evidence, index: int) -> str:
    lines = [call.row.location.get("line") for call in evidence.calls if call.index == index]
    return f" (line {lines[0]})" if lines and lines[0] is not None else ""


RULE = Rule("freed-graph", "error", (), check, __doc__)
