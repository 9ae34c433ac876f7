"""Steps of which only the root is noted, since recording each of them would take too long.

What runs in each of these steps is written out here, on one object: nothing of ours is in the caches of the
processor by then, and each object that Python touches takes as long as a call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from msgspec import Struct, field
from torch.optim.optimizer import Optimizer

from inspector.recording.flight.scaler_watch import ScalerWatch
from inspector.torch_api.modes import dispatch_mode_count as _dispatch_modes
from inspector.torch_api.modes import function_mode_count as _function_modes
from inspector.torch_api.modes import is_profiling as _is_profiling

_TENSOR = torch.Tensor
Roots = list[float | None]
"""The root of each step; None: not known."""


class Nap(Struct):
    """The steps that are only counted.

    scaler: of the script. left: how many are still to come. roots: of those that have come. root: of the step that
    is being prepared. calls: number of backward calls. depth: how many steps have begun, one within the other;
    since: the number of calls when the last one began. seconds: what it took to look at the last root.
    """

    scaler: ScalerWatch
    left: int = 0
    roots: Roots = field(default_factory=list)
    root: float | None = None
    calls: int = 0
    depth: int = 0
    since: int = 0
    seconds: float = 0.0

    def passes(self, roots: Sequence[Any]) -> bool:
        """Leave a call out, unless its root is not finite. roots: of a call that accumulates, else nothing."""
        root = None
        began = time.perf_counter() if self.left == 1 else None
        if len(roots) == 1 and type(tensor := roots[0]) is _TENSOR and not self.scaler.scales:
            is_seen = _function_modes() or _dispatch_modes() or _is_profiling()
            if not is_seen and tensor.is_cpu and tensor.numel() == 1:
                root = tensor.item()  # which takes a microsecond; it may be no float, or raise in torch.func
        elif roots:
            root = self.scaler.number(roots)
        if type(root) is float:
            if root - root != 0:
                return False
            before = self.root
            if before is None or before - before == 0:  # one of before may be not finite, see `passes_all`
                self.root = root
        self.calls += 1
        if began is not None:
            self.seconds = time.perf_counter() - began
        return True

    def passes_all(self, roots: Sequence[Any]) -> bool:
        """Leave a call out, whatever its root. One that is not finite is that of its step."""
        root = self.scaler.number(roots) if roots else None
        self.calls += 1
        if root is not None and (self.root is None or math.isfinite(self.root)):
            self.root = root
        return True

    def begins(self, optimizer: Optimizer) -> bool:
        """A step begins. Returns that no more is to be done."""
        self.depth = self.depth + 1 if self.calls == self.since else 1  # else one has raised
        self.since = self.calls
        return True

    def ends(self, optimizer: Optimizer) -> bool:
        """A step ends. Returns whether others are to come; the last is left for `ends_last`."""
        depth = self.depth
        if depth <= 1:
            if self.left <= 1:
                return False
            self.roots.append(self.root)
            self.root = None
            self.left -= 1
        self.depth = depth - 1
        return True

    def ends_last(self) -> None:
        """The last step ends."""
        self.roots.append(self.root)
        self.root, self.left, self.depth = None, 0, 0

    def taken(self) -> tuple[Roots, int, float]:
        """The roots and the number of calls so far, which are counted from 0 again, and the seconds of a step."""
        found = self.roots, self.calls, self.seconds
        self.roots, self.calls, self.since = [], 0, 0
        return found
