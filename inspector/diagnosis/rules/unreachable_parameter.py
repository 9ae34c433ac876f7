"""A trained parameter is not under the root at all: no path leads from the loss to it.

Why it matters: its `grad` stays None, and the optimizer passes it by. Nothing raises: a layer that `forward`
forgot, a head whose loss was never added, and a block that was checkpointed from inputs that need no gradient
look the same as a model that learns slowly.

How to mend it: use what the module computes in the loss; or take it out of the optimizer. With
`torch.utils.checkpoint`, pass `use_reentrant=False`.

Example:

    def forward(self, x):
        h = self.first(x)
        self.second(h)               # h = self.second(h)
        return self.head(h)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from inspector.diagnosis.analysis.unreached_parameters import is_idle, unreached_parameters
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import LeafRow
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """The parameters of models in use that no watched call reached, though others of them were."""
    if not evidence.calls_with_all_gradients:
        return
    rows = [row for row in unreached_parameters(evidence) if row.of_a_model_in_use and row.others_reached]
    for idle in (False, True):
        part = [row.leaf for row in rows if is_idle(evidence, row.leaf) == idle]
        if part:
            yield _found(evidence, part, idle)


def _found(evidence: Evidence, leaves: list[LeafRow], idle: bool) -> Finding:
    calls = ", ".join(str(call.index) for call in evidence.calls_with_all_gradients)
    rule = replace(RULE, severity="note") if idle else RULE
    no_graph = next((leaf["without_graph"] for leaf in leaves if leaf["without_graph"] is not None), None)
    source = no_graph or next((leaf["source"] for leaf in leaves if leaf["source"] is not None), None)
    call = evidence.calls_with_all_gradients[0]
    why = ", and their modules were called where grad is disabled" if no_graph else ""
    return rule.found(
        f"{pluralize(len(leaves), 'parameter is', 'parameters are')} not under the root of any watched backward "
        f"call ({calls}){why}",
        "pass use_reentrant=False to checkpoint(), or call them where grad is enabled"
        if no_graph
        else "use what their modules compute in the loss, or take them out of the optimizer",
        at=Place(source or call.row.location, call.index),
        parameters=[leaf["name"] for leaf in leaves],
        evidence={"parameters": len(leaves)},
    )


RULE = Rule("unreachable-parameter", "warning", ("gradients",), check, __doc__)
