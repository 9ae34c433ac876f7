"""The gradients of one backward call, by positions in a Walk."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from inspector.graph.row_types import GradientRows
from inspector.tensor_stats import NormFacts, Pending, PendingNorm


class Arrivals(Struct):
    """What arrived at Nodes, by position. A Node that the engine did not run is not in it.

    gradients: the accumulated gradient of each output of the forward. norms: used instead of it by a light
    recording, for most Nodes. rows: the rows that stand out in the gradient.
    """

    gradients: dict[int, Sequence[Pending]] = field(default_factory=dict)
    norms: dict[int, NormFacts] = field(default_factory=dict)
    rows: dict[int, GradientRows] = field(default_factory=dict)

    def at(self, position: int) -> Sequence[Pending] | None:
        """The accumulated gradient of each output; None for a Node that the engine did not run."""
        facts = self.norms.get(position)
        return self.gradients.get(position) if facts is None else [PendingNorm(*facts)]

    def counts(self) -> dict[int, int]:
        """The number of outputs of the Nodes that the engine ran, by position."""
        several = {position: len(gradients) for position, gradients in self.gradients.items()}
        return dict.fromkeys(self.norms, 1) | several


class GradientFlow(Struct):
    """Gradients and the order of the Nodes.

    steps: positions of the Nodes in the order in which the engine ran them.
    arrived: what arrived at them.
    contributions: (position, slot) -> the gradient along that edge.
    seeds: (position, output number) -> the gradient that the engine was given for a root.
    captured: (position, output number) -> the gradient that `torch.autograd.grad` returned for that tensor.
    error: the exception raised by backward, as one line, or None.
    not_recorded: why there are no gradients and steps, or None.
    """

    steps: list[int] = field(default_factory=list)
    arrived: Arrivals = field(default_factory=Arrivals)
    contributions: dict[tuple[int, int], Pending] = field(default_factory=dict)
    seeds: dict[tuple[int, int], Pending] = field(default_factory=dict)
    captured: dict[tuple[int, int], Pending] = field(default_factory=dict)
    error: str | None = None
    not_recorded: str | None = None
