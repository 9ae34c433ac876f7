"""Search the recorded steps for triggers: what went wrong, at which step, and where it began."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.recording.flight.block import Block, ModuleNorms
from inspector.recording.flight.followed import UnmovedParameters
from inspector.recording.flight.node_norms import NodeNorms
from inspector.recording.flight.origin import Origins
from inspector.recording.flight.triggers import (
    MOST_TRIGGERS,
    NonFinite,
    Spikes,
    Standstills,
    ZeroGradients,
)
from inspector.report.timeline import Trigger


class TriggerSearch:
    """Finds triggers block by block. unmoved: the parameters. zeros: those whose gradients died away."""

    def __init__(self, unmoved: UnmovedParameters) -> None:
        self.zeros = ZeroGradients()
        self._unmoved = unmoved
        self._finders = (NonFinite(), Spikes(), Standstills())
        self._origins = Origins()
        self._found: list[Trigger] = []

    def add_nodes(self, step: int, nodes: Sequence[NodeNorms]) -> ModuleNorms:
        """Note what arrived at the Nodes of a step; returns the norms at modules."""
        all_norms = [self._origins.add(step, its) for its in nodes]
        found = ModuleNorms({}, {})
        for norms in all_norms:
            found.gradients.update(norms.gradients)
            found.outputs.update(norms.outputs)
        return found

    def find(self, block: Block) -> list[int]:
        """Search a block; returns the steps of the new triggers."""
        steps = []
        for finder in self._finders:
            for found in finder.find(block):
                if sum(other["kind"] == found["kind"] for other in self._found) < MOST_TRIGGERS:
                    self._origins.name(found)
                    self._found.append(found)
                    steps.append(found["step"])
        self.zeros.update(block)
        self._unmoved.update(block)
        return steps

    def triggers(self, names: list[str], steps: int) -> list[Trigger]:
        """The triggers found so far. names: of the parameters. steps: number of steps."""
        return [*self._found, *self.zeros.triggers(names), *self._unmoved.triggers(steps)]
