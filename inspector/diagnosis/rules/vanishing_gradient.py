"""The gradient of the first layers is tiny compared to that of the last layers.

Why it matters: each layer multiplies the gradient on its way back. With factors below one (at most 1/4 for a
sigmoid, about 0.6 for torch's default initialisation) it shrinks with depth. The layers near the input keep
their initial weights, while the loss still falls a little because of the last layers.

How to fix it: use relu or gelu with He initialisation instead of sigmoids, batch or layer norm between the
layers, residual connections, or fewer layers.

Example:

    layers = [part for _ in range(12) for part in (nn.Linear(64, 64), nn.Sigmoid())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.norm_along_path import NormAlongPath
from inspector.diagnosis.analysis.norm_change import norm_changes
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.typography import format_number

VANISHED = 1e-6
"""Ratio of the norm at a layer to the highest norm at a layer on the path to it. Healthy models at initialisation
have at least 1e-5 (12 layers with relu and torch's initialisation 1e-5, 10 convolutions 1e-4, recurrent and
residual nets and transformers 0.01; see `benchmarks/healthy_norms.py`); 8 layers with sigmoids have 2e-7."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every chain of layers whose end receives almost no gradient, at the line with most of the decrease."""
    for call in evidence.calls_with_all_gradients:
        depth = call.once(NormAlongPath)
        fallen = depth.low_norm_nodes(VANISHED)
        for change in norm_changes(evidence, depth, fallen, sign=-1):
            yield RULE.found(
                f"the gradient falls from a norm of {format_number(change.first)} to "
                f"{format_number(change.last)} over "
                f"{change.count} Nodes; mostly at {change.names} (times "
                f"{format_number(change.factor)} each)",
                "use activations that keep the gradient (relu with He initialisation), normalise between the "
                "layers, or add residual connections",
                at=Place(change.location, call.index, change.nodes),
                parameters=change.parameters,
                evidence={"first": change.first, "last": change.last, "factor": change.factor},
            )


RULE = Rule("vanishing-gradient", "warning", ("gradients",), check, __doc__)
