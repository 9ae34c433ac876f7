"""Parameters that are made for one backward call and are gone before the next, so that nothing trains them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch

from inspector.report.row_types import StatementKind, StatementRow
from inspector.torch_api.tensor_references import TensorReference, reference_to

_Line: TypeAlias = tuple[str, int]


class LostParameters:
    """Watches the parameters in the graphs of recorded calls that no variable, module or optimizer holds any more.

    source: returns the line that created a leaf, or None.
    """

    def __init__(self, source: Callable[[torch.Tensor], Any]) -> None:
        self._source = source
        self._last: list[tuple[_Line, TensorReference]] = []
        self._found: dict[_Line, StatementRow] = {}

    @property
    def rows(self) -> list[StatementRow]:
        """The lines that made or used such parameters again after the earlier ones were gone, by file and line."""
        return [self._found[line] for line in sorted(self._found)]

    def begins(
        self,
        leaves: Iterable[tuple[int, torch.Tensor]],
        is_held: Callable[[torch.Tensor], bool],
        used_at: Callable[[int], Any],
    ) -> None:
        """A recorded call begins.

        leaves: of its graph, with the positions of their AccumulateGrads. is_held: whether something of the script
        holds a leaf. used_at: returns the line that uses the leaf of a position, or None.

        No operation makes a bare `nn.Parameter(...)`, so that only the line that uses it is known.
        """
        gone = {line for line, reference in self._last if reference() is None}
        self._last = []
        for position, leaf in leaves:
            if type(leaf) is not torch.nn.Parameter or is_held(leaf):
                continue
            made = self._source(leaf)
            source = used_at(position) if made is None else made
            if source is None or "library" in source:
                continue
            line = source["file"], source["line"]
            self._last.append((line, reference_to(leaf)))
            if line in gone:
                kind: StatementKind = "uses_rebuilt" if made is None else "rebuilt"
                row: StatementRow = {"kind": kind, "source": source, "text": source["code"], "of": None}
                self._found.setdefault(line, row)
