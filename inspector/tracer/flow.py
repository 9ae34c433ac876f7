"""What flowed during one backward call, by positions in a Walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inspector.summaries import Pending


@dataclass(slots=True)
class Flow:
    """Gradients and the order of the Nodes.

    steps: positions of the Nodes in the order in which the engine ran them.
    arrived: position -> the accumulated gradient of each output of the forward.
    contributions: (position, slot) -> what went along that edge.
    captured: (position, output number) -> what `torch.autograd.grad` returned for that tensor.
    error: what backward raised, as one line, or None.
    not_recorded: why there are no gradients and steps here, None if there are.
    """

    steps: list[int] = field(default_factory=list)
    arrived: dict[int, Sequence[Pending]] = field(default_factory=dict)
    contributions: dict[tuple[int, int], Pending] = field(default_factory=dict)
    captured: dict[tuple[int, int], Pending] = field(default_factory=dict)
    error: str | None = None
    not_recorded: str | None = None
