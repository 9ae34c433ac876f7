"""A trained parameter is not part of the graph: no path leads from the loss to it.

Why it matters: its `grad` stays None and the optimizer skips it. Nothing raises: a layer that `forward` does
not use, a head whose loss was never added, or a block checkpointed with inputs that do not require a gradient
all look like a model that learns slowly.

How to fix it: use the module's output in the loss, or remove the module's parameters from the optimizer. With
`torch.utils.checkpoint`, pass `use_reentrant=False`.

Example:

    def forward(self, x):
        h = self.first(x)
        self.second(h)               # h = self.second(h)
        return self.head(h)
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from inspector.diagnosis.analysis.unreached_parameters import is_idle, unreached_parameters
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import LeafRow
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """The parameters of models in use that no recorded call reached, although it reached other parameters."""
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
    why = ", and their modules were called with gradients disabled" if no_graph else ""
    return rule.found(
        f"{pluralize(len(leaves), 'parameter is', 'parameters are')} not in the graph of any recorded backward "
        f"call ({calls}){why}",
        "pass use_reentrant=False to checkpoint(), or call them with gradients enabled"
        if no_graph
        else "use the output of their modules in the loss, or remove them from the optimizer",
        at=Place(source or call.row.location, call.index),
        parameters=[leaf["name"] for leaf in leaves],
        evidence={"parameters": len(leaves)},
    )


RULE = Rule("unreachable-parameter", "warning", ("gradients",), check, __doc__)
