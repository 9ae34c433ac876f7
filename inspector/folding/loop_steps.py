"""The iterations of a loop, of which a box is made when it is asked for."""

from __future__ import annotations

from typing import Any

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
        label = f"{of}, step {number}" if of else f"step {number}"
        return FoldedBox("step", label, path, stored(self.parts[index]))
