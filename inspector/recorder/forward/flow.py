"""What leaves no trace in the graph: places where a gradient was cut off, and in-place writes."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from inspector.recorder.forward.sources import Place, Sources
from inspector.summaries import Memory

Key: TypeAlias = tuple[int, int]
"""Which tensor: the sequence number of its Node, and which output of it."""

LIMIT = 20_000
"""So many cuts, and so many writes, are kept; a loop that evaluates for hours must not fill the memory."""

CUTS_TO_NUMBERS = {
    "item": "item",
    "tolist": "tolist",
    "numpy": "numpy",
    "__array__": "numpy",
    "__float__": "item",
    "__int__": "item",
    "__index__": "item",
    "__bool__": "item",
    "__complex__": "item",
}
"""Operations whose result is no tensor: the kind of their cut."""

CUTS_TO_TENSORS = {
    "detach": "detach",
    "detach_": "detach",
    "data": "data",
    "tensor": "tensor",
    "as_tensor": "tensor",
    "new_tensor": "tensor",
}
"""Operations that are made to cut: the kind of their cut."""

_CARRY_NOTHING = ("_like", "size", "requires_grad_", "grad", "backward", "__deepcopy__", "__reduce_ex__")


def cut_kind(operation: str, result: torch.Tensor | None) -> str | None:
    """The kind of the cut by an operation whose input needs a gradient and whose result has none.

    result: its first tensor, None if it gives none. None: this is no cut (its result carries no data of the
    input).
    """
    if result is None:
        return CUTS_TO_NUMBERS.get(operation)
    if operation in CUTS_TO_TENSORS:
        return CUTS_TO_TENSORS[operation]
    if operation.endswith(_CARRY_NOTHING) or operation.startswith("new_"):
        return None
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    if not torch.is_grad_enabled():
        return "no_grad"
    if result.dtype is torch.bool:
        return "comparison"
    return None if result.is_floating_point() or result.is_complex() else "integer"


@dataclass(slots=True)
class Where:
    """A tensor and the place where something happened to it.

    key: the tensor, if it has a Node that is known. leaf: its index in `Flow.leaves`, if it is a leaf.
    direct: whether the user's code called the operation itself, so that the place is exact.
    """

    operation: str
    place: Place | None
    direct: bool
    key: Key | None
    leaf: int | None

    def described(self, sources: Sources) -> dict[str, Any]:
        expression = sources.expression(self.place) if self.place and self.direct else None
        return {
            "operation": self.operation,
            "source": sources.source(self.place) if self.place else None,
            "direct": self.direct,
            "leaf": self.leaf,
            "name": expression.operand if expression else None,
            "code": expression.text if expression else None,
        }


@dataclass(slots=True)
class Cut:
    """A tensor that needs a gradient gave one that needs none, `count` times at this place."""

    kind: str
    where: Where
    count: int = 1


@dataclass(slots=True)
class Write:
    """A tensor was written in place.

    memory: where its elements lie while it lives. number: that of the next Node; 0 inside of a custom Function.
    """

    where: Where
    memory: Memory | None
    number: int
    before: int
    after: int


class Flow:
    """Cuts and writes in the order in which they happened."""

    def __init__(self) -> None:
        self.leaves: list[weakref.ref[torch.Tensor]] = []
        self._leaf_index: dict[int, int] = {}
        self._cuts: list[Cut] = []
        self._cut_index: dict[Any, int] = {}
        self._writes: list[Write] = []
        self._came_from: dict[int, tuple[weakref.ref[torch.Tensor], frozenset[int]]] = {}

    def cut(self, kind: str, where: Where, results: list[torch.Tensor]) -> None:
        """Remember a cut, and that `results` hold what was cut off."""
        code, instruction = where.place or (None, 0)
        same = (kind, id(code), instruction, where.operation, where.key, where.leaf)
        index = self._cut_index.get(same)
        if index is not None:
            self._cuts[index].count += 1
        elif len(self._cuts) < LIMIT:
            index = self._cut_index[same] = len(self._cuts)
            self._cuts.append(Cut(kind, where))
        if index is not None:
            self._carry(results, frozenset((index,)))

    def write(self, write: Write) -> None:
        """Remember an in-place write."""
        if len(self._writes) < LIMIT:
            self._writes.append(write)

    def behind(self, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> frozenset[int]:
        """Which cuts the data of `inputs` went through; `results` hold it as well if they need no gradient."""
        if not self._came_from:
            return frozenset()
        found: frozenset[int] = frozenset()
        for tensor in inputs:
            kept = self._came_from.get(id(tensor))
            if kept is not None and kept[0]() is tensor:
                found |= kept[1]
        if found:
            self._carry([tensor for tensor in results if not tensor.requires_grad], found)
        return found

    def leaf(self, tensor: torch.Tensor) -> int:
        """The index in `leaves` of a leaf."""
        index = self._leaf_index.get(id(tensor))
        if index is None or self.leaves[index]() is not tensor:
            index = self._leaf_index[id(tensor)] = len(self.leaves)
            self.leaves.append(weakref.ref(tensor))
        return index

    def cuts(self, sources: Sources) -> list[dict[str, Any]]:
        """The cuts as plain dictionaries."""
        return [
            {"kind": cut.kind, **cut.where.described(sources), "from": cut.where.key, "count": cut.count}
            for cut in self._cuts
        ]

    def writes(self, sources: Sources) -> list[dict[str, Any]]:
        """The writes as plain dictionaries."""
        return [
            {
                **write.where.described(sources),
                "to": write.where.key,
                "memory": write.memory,
                "number": write.number,
                "before": write.before,
                "after": write.after,
            }
            for write in self._writes
        ]

    def _carry(self, tensors: list[torch.Tensor], cuts: frozenset[int]) -> None:
        for tensor in tensors:
            self._came_from[id(tensor)] = (weakref.ref(tensor), cuts)
