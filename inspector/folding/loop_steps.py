"""The iterations of a loop, of which a box is made when it is asked for."""

from __future__ import annotations

from typing import Any

import numpy
from msgspec import Struct

from inspector.folding.boxes import FoldedBox, stored
from inspector.folding.context import FoldingContext
from inspector.folding.graph_parts import GraphParts
from inspector.folding.module_paths import Path, name_of


class LoopSteps(Struct, frozen=True, eq=False):
    """The iterations of a loop, root first.

    paths: the number of the module around each, an array. lines: the lines of the loop, where no module has them.
    """

    context: FoldingContext
    parts: GraphParts
    paths: Any
    lines: str

    def __len__(self) -> int:
        return len(self.parts)

    def path(self, index: int) -> Path:
        """The innermost module that contains an iteration."""
        return self.context.calls.known[int(self.paths[index])]

    def box(self, index: int) -> FoldedBox:
        """An iteration as a box, numbered in the order of the forward."""
        path, number = self.path(index), len(self) - index
        of = name_of(path) or self.lines
        step = f"up to step {number}" if number == 1 and self._has_more_before() else f"step {number}"
        label = f"{of}, {step}" if of else step
        return FoldedBox("step", label, path, stored(self.parts[index]))

    def _has_more_before(self) -> bool:
        """Whether the first iteration is much larger than others: earlier ones did something else, or what is
        before the loop has the same lines."""
        sizes = self.parts.sizes
        return bool(sizes[-1] >= 2 * numpy.sort(sizes)[len(sizes) // 2])
