"""The parameters that are followed: their names, and whether any step moves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType

import torch

from inspector.recording.flight.block import Block
from inspector.recording.flight.gradient_norms import GradientNorms
from inspector.recording.flight.update_norms import UpdateNorms
from inspector.recording.training.leaf_registry import is_leaf
from inspector.report.timeline import Trigger
from inspector.torch_api.modes import hidden, unobserved
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import names_from

MOST_PARAMETERS = 20_000
"""Maximum number of parameters that are followed."""
_MOST_LOOKUPS = 20
"""Maximum number of searches for the names of new parameters, which take milliseconds."""


class Followed:
    """The parameters that are followed. norms: their gradients. updates: how far steps move them."""

    def __init__(self, files: UserFiles) -> None:
        self.norms = GradientNorms()
        self.unmoved = UnmovedParameters(self.norms)
        self.updates = UpdateNorms(self.norms)
        self._files = files
        self._lookups = 0
        self._positions: dict[int, int] = {}

    def add(self, tensor: torch.Tensor, name: str) -> None:
        """Follow a parameter."""
        if len(self.norms) < MOST_PARAMETERS:
            self.norms.add(tensor, name)

    def are_known(self, tensors: Iterable[torch.Tensor]) -> bool:
        """Whether all of these are followed."""
        return self.norms.are_known(tensors) or len(self.norms) >= MOST_PARAMETERS

    def add_all(self, tensors: Iterable[torch.Tensor], frame: FrameType | None, known: dict[int, str]) -> None:
        """Follow parameters. known: names, by the ids of tensors. frame: its variables name the others."""
        new = [tensor for tensor in tensors if not self.norms.are_known([tensor])]
        name: Callable[[torch.Tensor], str | None] = lambda tensor: None  # noqa: E731
        if not all(id(tensor) in known for tensor in new) and self._lookups < _MOST_LOOKUPS:
            self._lookups += 1
            name = names_from(frame, self._files).name
        with hidden():
            for tensor in new:
                if is_leaf(tensor):
                    self.add(tensor, known.get(id(tensor)) or name(tensor) or f"parameter {len(self.norms) + 1}")

    def positions(self, tensors: Iterable[torch.Tensor]) -> frozenset[int]:
        """The positions of those that are followed."""
        wanted = set(map(id, tensors))
        return frozenset(
            position
            for position, reference in enumerate(self.norms.references)
            if (tensor := reference()) is not None and id(tensor) in wanted
        )


SAMPLE = 4_096
"""Maximum elements of a parameter that are compared first."""
MOST_COMPARED = 1_000_000
"""Maximum elements of a parameter that are compared then, and ten times as many of all together."""
CHECK_STEPS, LEAST_STEPS = 16, 66
"""Number of steps after which the parameters that seem unmoved are copied, and which a trigger needs."""
_LEAST_SHARE = 1e-6
"""A gradient below this share of the usual one is zero but for rounding, as of a bias before a batch norm."""


class UnmovedParameters:
    """Finds the parameters that no step changes, although their gradients are not zero.

    A few elements of each are compared after `CHECK_STEPS` steps; where they are the same, all elements are
    compared with those at the end.
    """

    def __init__(self, norms: GradientNorms) -> None:
        self._norms = norms
        self._samples: dict[int, torch.Tensor] = {}
        self._copies: dict[int, torch.Tensor] = {}
        self._peaks = torch.zeros(0, dtype=torch.float64)
        self._begun = self._checked = 0

    def update(self, block: Block) -> None:
        """Note the gradients of a block."""
        more = torch.zeros(block.norms.shape[1] - len(self._peaks), dtype=torch.float64)
        finite = block.norms.where(block.known & block.norms.isfinite(), 0.0)
        self._peaks = torch.cat([self._peaks, more]).maximum(finite.amax(0))

    @property
    def are_copied(self) -> bool:
        """Whether nothing is left for `look` to do."""
        return bool(self._checked)

    def look(self, step: int) -> None:
        """Before a backward call: compare the parameters, if it is time. step: the number of the step.

        Not right after a step of an optimizer: the script may undo it.
        """
        if self._checked or (self._begun and step - self._begun < CHECK_STEPS):
            return
        with unobserved():
            if not self._begun:
                self._begun = step
                self._samples = self._elements(range(len(self._norms)), SAMPLE)
            else:
                same = self._same(self._samples, SAMPLE)
                self._copies = self._elements(same, MOST_COMPARED, 10 * MOST_COMPARED)
                self._samples, self._checked = {}, step

    def triggers(self, last: int) -> list[Trigger]:
        """One trigger for all that no step has moved. last: the number of the last step."""
        if not self._checked or last - self._checked < LEAST_STEPS - CHECK_STEPS:
            return []
        positive = self._peaks[self._peaks > 0]
        least = _LEAST_SHARE * float(positive.median()) if len(positive) else 0.0
        with unobserved():
            same = self._same(self._copies, MOST_COMPARED)
        grown = set((self._peaks > least).nonzero().flatten().tolist())
        found = [position for position in same if position in grown and self._is_trained(position)]
        if not found:
            return []
        return [
            {
                "kind": "unmoved",
                "step": self._begun,
                "backward_call": None,
                "parameters": [self._norms.names[position] for position in found],
                "value": float(self._peaks[found].max()),
                "steps": last - self._begun + 1,
            }
        ]

    def _is_trained(self, position: int) -> bool:
        tensor = self._norms.references[position]()
        return tensor is not None and tensor.requires_grad

    def _elements(
        self, positions: Iterable[int], most: int, most_of_all: int | None = None
    ) -> dict[int, torch.Tensor]:
        found: dict[int, torch.Tensor] = {}
        left = most_of_all
        for position in positions:
            part = _part(self._norms.references[position](), most)
            if part is None or (left is not None and part.numel() > left):
                continue
            left = None if left is None else left - part.numel()
            found[position] = part.clone()
        return found

    def _same(self, copies: dict[int, torch.Tensor], most: int) -> list[int]:
        """The positions of the parameters that still have these elements."""
        return [
            position
            for position, copy in copies.items()
            if (part := _part(self._norms.references[position](), most)) is not None
            and part.shape == copy.shape
            and part.device == copy.device
            and part.dtype == copy.dtype
            and torch.equal(part, copy)
        ]


def _part(tensor: torch.Tensor | None, most: int) -> torch.Tensor | None:
    """A view of at most `most` elements of a dense parameter."""
    ordinary = (torch.Tensor, torch.nn.Parameter)
    if tensor is None or type(tensor) not in ordinary or tensor.layout is not torch.strided or tensor.is_meta:
        return None
    part = tensor.detach()
    while part.numel() > most:
        part = part[: max(1, most * len(part) // part.numel())] if len(part) > 1 else part[0]
    return part
