"""The gradient grows by orders of magnitude on its way to the first layers.

Why it matters: each layer multiplies the gradient on its way back. With factors above one it grows with
depth, the first layers take huge steps, and after a few more steps everything is Inf or NaN.

How to fix it: scale the initial weights by the number of inputs (He, Xavier; orthogonal for recurrent
layers), normalise between the layers, and do not divide by numbers close to zero. Clipping helps if large
gradients are rare.

Example:

    for layer in model.layers:                     # 64 wide: each multiplies by about 8
        nn.init.normal_(layer.weight, std=1.0)
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.norm_along_path import NormAlongPath
from inspector.diagnosis.analysis.norm_change import norm_changes, spikes
from inspector.diagnosis.analysis.outstanding_rows import add_rows
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.typography import format_number

EXPLODED = 1e4
"""Ratio of the norm at a layer to the lowest norm at a layer on the path to it. Healthy models at initialisation
have at most 150 (20 layers with batch norm 150, ConvNext 120, other transformers 60, residual nets 10; see
`benchmarks/healthy_norms.py`); 50 layers with batch norm and no residual connections, which are known to explode,
have 5e4."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every chain of layers whose end receives a far larger gradient than its middle; if there is none, every
    layer that receives a far larger one than the root. At the line with most growth."""
    for call in evidence.calls_with_all_gradients:
        depth = call.once(NormAlongPath)
        risen = {
            node for node, step in depth.steps.items() if step.lowest and step.size > EXPLODED * step.lowest
        }
        for change in list(norm_changes(evidence, depth, risen, sign=1)) or spikes(evidence, depth):
            finding = RULE.found(
                f"the gradient grows from a norm of {format_number(change.first)} to "
                f"{format_number(change.last)} over "
                f"{change.count} Nodes; mostly at {change.names} (times {format_number(change.factor)} each)",
                "draw the weights for their number of inputs (He, Xavier, orthogonal), normalise between the "
                "layers, and do not divide by next to nothing",
                at=Place(change.location, call.index, change.nodes),
                parameters=change.parameters,
                evidence={"first": change.first, "last": change.last, "factor": change.factor},
            )
            after = [node for at in change.nodes for node in call.inputs_of(at)]
            add_rows(finding, call, after, "largest")
            yield finding


RULE = Rule("exploding-gradient", "warning", ("gradients",), check, __doc__)
