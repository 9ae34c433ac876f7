"""Stop the script in a debugger as soon as something goes wrong, before an optimizer uses the gradients."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import torch

from inspector.graph import Graph
from inspector.recording.flight.block import Block
from inspector.recording.flight.triggers import NonFinite, Spikes
from inspector.report.timeline import NOT_FINITE, Trigger
from inspector.util.stderr import say

NAN, SPIKE = "nan", "spike"


class BreakPoint:
    """Waits for a trigger. wanted: `nan`, `spike`, or what a trigger of either kind is about: a parameter, a
    module, or a Node by its name or its line (`train.py:12`)."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._finders = (NonFinite(), Spikes())
        self._at_nodes = ((NonFinite(), Spikes()), (NonFinite(), Spikes()))
        self._is_over = False

    def warn(self, parameters: Iterable[str], places: Iterable[str]) -> None:
        """Say so if nothing is called as wanted. parameters: their names; places: of Nodes, and their lines."""
        wanted, names = self.place, list(parameters)
        known = [*names, *(name.rpartition(".")[0] for name in names), *places]
        if wanted is None or wanted in known or any(name.startswith(f"{wanted}.") for name in names):
            return
        close = difflib.get_close_matches(wanted, sorted(set(known)), 3)
        meant = f" (did you mean {' or '.join(close)}?)" if close else ""
        say(f"--break {wanted}: no parameter, module, Node or line of the recorded calls has this name{meant}")

    @property
    def place(self) -> str | None:
        """What may be the name or the line of a Node."""
        return None if self._wanted in (NAN, SPIKE) else self._wanted

    def look(self, block: Block, at_nodes: Sequence[Block | None] = ()) -> Trigger | None:
        """The trigger at which to stop, in a block of the one step that is being prepared; the first only.

        at_nodes: the norm of what arrives at the wanted Nodes, and of what they send, each as an only column.
        """
        found = [trigger for finder in self._finders for trigger in finder.find(block)]
        fitting = next(filter(self._fits, found), None)
        for finders, its in zip(self._at_nodes, at_nodes, strict=False):
            there = [] if its is None else [trigger for finder in finders for trigger in finder.find(its)]
            fitting = next(iter(there), None) if fitting is None else fitting
        if self._is_over or fitting is None:
            return None
        self._is_over = True
        return fitting

    def _fits(self, trigger: Trigger) -> bool:
        if self._wanted in (NAN, SPIKE):
            return (trigger["kind"] in NOT_FINITE) == (self._wanted == NAN)
        names = trigger["parameters"]
        return any(name == self._wanted or name.startswith(f"{self._wanted}.") for name in names)


def stop_at(
    trigger: Trigger,
    graph: Graph | None,
    grads: Mapping[str, torch.Tensor | None],
    arrived: Mapping[str, torch.Tensor],
    frame: FrameType | None,
) -> None:
    """Call `breakpoint()`, with local names for what there is to see.

    graph: the recorded call; None if it was not recorded. grads: by parameter. arrived: the gradients that arrived
    at the wanted Nodes, by Node, and those that they sent, by Node and slot. frame: of the script, whose variables
    are at hand, too. guilty: of these, or else the grads of the parameters that the trigger names, or that are not
    finite.
    """
    named = trigger["parameters"] or [name for name, grad in grads.items() if _is_bad(grad)]
    guilty: dict[str, Any] = dict(arrived) or {name: grads[name] for name in named if name in grads}
    variables: dict[str, Any] = {} if frame is None else frame.f_locals
    what = {"root_not_finite": "the loss", "gradient_not_finite": "a gradient"}.get(trigger["kind"])
    norm = float(trigger["value"] or 0.0)
    what = f"the gradient norm is {norm:.3g}" if what is None else f"{what} is not finite"
    say(f"stopped at step {trigger['step']:,}: {what}. Names here: trigger, graph, grads, guilty, variables")
    breakpoint()
    del frame, graph, grads, arrived, guilty, variables


def _is_bad(grad: torch.Tensor | None) -> bool:
    return grad is not None and not bool(grad.isfinite().all())
