"""Watch the GradScalers of the script: the roots before they are scaled, and scales that collapse."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch

from inspector.recording.flight.roots import Root, root_of
from inspector.recording.training.function_watch import FunctionWatch

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
        if args[0].is_enabled() and len(args) > 1:
            self._scaler, self.scales = weakref.ref(args[0]), True
            self._root = root_of([args[1]])
