"""Watch the GradScalers of the script: the roots before they are scaled, and scales that collapse."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch

from inspector.recording.flight.roots import Root, number_of, root_of
from inspector.recording.training.function_watch import FunctionWatch
from inspector.torch_api.modes import unobserved

SKIPPED_STEPS = 16
"""Number of skipped steps in a row of a collapsed scale: one that starts at 65,536 needs fewer to settle."""


class ScalerWatch:
    """Notes calls of GradScalers from `install` to `uninstall`. fail: called with an internal error.

    scales: whether the grads contain a scale: a root was scaled since the last step of an optimizer.
    """

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._watch = FunctionWatch(fail)
        self._scaler: weakref.ref[Any] | None = None
        self._root: Root | None = None
        self._skipped = 0
        self._asks = False
        self.scales = False

    def install(self) -> None:
        """Wrap the functions."""
        self._watch.is_on = True
        self._watch.add((torch.amp.GradScaler,), "scale", self._scaled)
        self._watch.add((torch.amp.GradScaler,), "step", lambda args, frame: None, self._steps)

    def uninstall(self) -> None:
        """Remove the wrappers."""
        self._watch.uninstall()

    def take_root(self) -> Root | None:
        """The last root that was scaled, as it was before; None if there is none since the last call."""
        root, self._root = self._root, None
        return root

    def number(self, roots: Sequence[Any]) -> float | None:
        """The root of a call, without the scale; None if reading it would take long."""
        root = self.take_root() if self.scales else None
        if root is None:
            return number_of(roots)
        return root.value if isinstance(root.value, float) else None

    @property
    def has_skipped(self) -> bool:
        """Whether the last step that was to be made was skipped, as its gradients were not finite."""
        return self._skipped > 0

    def scale_on(self, device: torch.device) -> torch.Tensor | None:
        """The scale, as a tensor on a device, without waiting for it; None if no grads contain one."""
        scaler = self._scaler() if self.scales and self._scaler is not None else None
        if scaler is None:
            return None
        self._asks = True
        try:
            with unobserved():
                found: torch.Tensor = torch.amp.GradScaler.scale(scaler, torch.ones((), device=device))
                return found
        finally:
            self._asks = False

    def stepped(self) -> None:
        """An optimizer has stepped."""
        self._skipped, self.scales = 0, False

    def collapsed(self) -> float | None:
        """The scale, if `SKIPPED_STEPS` steps in a row were skipped. Reading it waits for the device."""
        scaler = None if self._scaler is None else self._scaler()
        if self._skipped < SKIPPED_STEPS or scaler is None:
            return None
        return float(scaler.get_scale())

    def _steps(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        self._skipped += args[0].is_enabled()
        return args

    def _scaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        if args[0].is_enabled() and len(args) > 1 and not self._asks:
            self._scaler, self.scales = weakref.ref(args[0]), True
            self._root = root_of([args[1]])
