"""Record what leaves no trace in the graph: cuts (detached tensors) and in-place writes."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.recording.training.leaf_registry import LeafRegistry
from inspector.tensor_stats import Memory
from inspector.torch_api.tensors import is_changed_view
from inspector.user_code.source_expressions import Place, SourceExpressions

Key: TypeAlias = tuple[int, int]
"""Which tensor: the sequence number of its Node, and which output of it."""

NO_CUTS: frozenset[int] = frozenset()
"""One for all: each new one would be an object that the garbage collector looks at."""

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

    key: the tensor, if it has a Node that is known. leaf: its number in `CutsAndWrites.leaves`, if it is a leaf.
    direct: whether the user's code called the operation itself, so that the place is exact.
    """

    operation: str
    place: Place | None
    direct: bool
    key: Key | None
    leaf: int | None

    def described(self, sources: SourceExpressions) -> dict[str, Any]:
        expression = sources.expression(self.place) if self.place and self.direct else None
        return {
            "operation": self.operation,
            "source": sources.source(self.place) if self.place else None,
            "direct": self.direct,
            "leaf": self.leaf,
            "name": expression.operand if expression else None,
            "assigned": expression.names[0] if expression and expression.names else None,
            "code": expression.text if expression else None,
        }


@dataclass(slots=True)
class Cut:
    """A tensor that needs a gradient gave one that needs none, `count` times at this place.

    leaves: the numbers of the leaves that a gradient of the result would have reached; None: too many Nodes.
    region: where gradients were turned off, if that is why. number: the sequence number when it happened first
    since the last report.
    """

    kind: str
    where: Where
    leaves: list[int] | None
    region: Place | None
    number: int | None
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


class CutsAndWrites:
    """Cuts and writes in the order in which they happened."""

    def __init__(self) -> None:
        self.leaves = LeafRegistry()
        self.region: Place | None = None
        """Where gradients were turned off, while they are."""
        self._cuts: list[Cut] = []
        self._cut_index: dict[Any, int] = {}
        self._writes: list[Write] = []
        self._reads: list[Where] = []
        self._came_from: dict[int, tuple[weakref.ref[torch.Tensor], frozenset[int]]] = {}

    def add_cut(self, kind: str, where: Where, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> None:
        """Remember a cut of those `inputs` that need a gradient, and that `results` hold what was cut off."""
        code, instruction = where.place or (None, 0)
        same = (kind, id(code), instruction, where.operation, where.key, where.leaf)
        index = self._cut_index.get(same)
        if index is not None:
            self._cuts[index].count += 1
            if self._cuts[index].number is None:
                self._cuts[index].number = sequence_number()
        elif len(self._cuts) < LIMIT:
            index = self._cut_index[same] = len(self._cuts)
            region = self.region if kind == "no_grad" else None
            under = leaves_under(inputs, self.leaves)
            self._cuts.append(Cut(kind, where, under, region, sequence_number()))
        if index is not None:
            self._carry(results, self.cut_ancestry(inputs, []) | {index})

    def mark_reported(self) -> None:
        """The cuts so far were reported: what is cut again is cut anew."""
        for cut in self._cuts:
            cut.number = None

    def add_write(self, write: Write) -> None:
        """Remember an in-place write."""
        if len(self._writes) < LIMIT:
            self._writes.append(write)

    def add_read(self, where: Where) -> None:
        """Remember that the script read the grad of a tensor that is no leaf."""
        if len(self._reads) < LIMIT:
            self._reads.append(where)

    def cut_ancestry(self, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> frozenset[int]:
        """Which cuts the data of `inputs` went through; `results` hold it as well if they need no gradient."""
        if not self._came_from:
            return NO_CUTS
        found = NO_CUTS
        for tensor in inputs:
            kept = self._came_from.get(id(tensor))
            if kept is not None and kept[0]() is tensor:
                found |= kept[1]
        if found:
            self._carry([tensor for tensor in results if not tensor.requires_grad], found)
        return found

    def cuts(self, sources: SourceExpressions) -> list[dict[str, Any]]:
        """The cuts as plain dictionaries."""
        return [
            {
                "kind": cut.kind,
                **cut.where.described(sources),
                "from": cut.where.key,
                "count": cut.count,
                "leaves": cut.leaves,
                "region": sources.source(cut.region) if cut.region else None,
                "number": cut.number,
            }
            for cut in self._cuts
        ]

    def writes(self, sources: SourceExpressions) -> list[dict[str, Any]]:
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

    def reads(self, sources: SourceExpressions) -> list[dict[str, Any]]:
        """The readings of grads as plain dictionaries."""
        return [{**where.described(sources), "of": where.key} for where in self._reads]

    def _carry(self, tensors: list[torch.Tensor], cuts: frozenset[int]) -> None:
        for tensor in tensors:
            self._came_from[id(tensor)] = (weakref.ref(tensor), cuts)


_MOST_NODES = 2_000
"""So many are walked from a cut tensor: enough for an encoder of a hundred layers, and a millisecond."""


def leaves_under(tensors: list[torch.Tensor], leaves: LeafRegistry) -> list[int] | None:
    """The numbers of the leaves that these tensors were computed from, None if there are too many Nodes to look.

    Nodes that Python has walked are freed recursively (some 40,000 in a chain are too many), so few are.
    """
    found: dict[int, None] = {}
    waiting: list[Any] = []
    for tensor in tensors:
        if tensor.requires_grad and tensor.grad_fn is None:
            found[leaves.add(tensor)] = None
        elif tensor.requires_grad and not is_changed_view(tensor):
            waiting.append(tensor.grad_fn)
    seen = set(waiting)
    for node in waiting:  # grows while it is walked
        if len(seen) > _MOST_NODES:
            return None
        variable = getattr(node, "variable", None)
        if isinstance(variable, torch.Tensor):
            found[leaves.add(variable)] = None
        for target, _ in node.next_functions:
            if target is not None and target not in seen:
                seen.add(target)
                waiting.append(target)
    return list(found)
