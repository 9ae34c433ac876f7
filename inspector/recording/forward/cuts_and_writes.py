"""Record what leaves no trace in the graph: cuts (detached tensors) and in-place writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from msgspec import Struct

from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.recording.training.leaf_registry import LeafRegistry, is_leaf
from inspector.tensor_stats import Memory
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.torch_api.tensors import base_of, is_changed_view
from inspector.user_code.source_expressions import Place, SourceExpressions, place_key

Key: TypeAlias = tuple[int, int]
"""A tensor: the sequence number of its Node, and its output number."""

NO_CUTS: frozenset[int] = frozenset()
"""Shared, because the garbage collector would visit every new one."""

LIMIT = 20_000
"""Maximum number of cuts, and of writes, so that a loop that runs for hours does not fill the memory."""

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
"""Operations whose result is not a tensor, with the kind of their cut."""

CUTS_TO_TENSORS = {
    "detach": "detach",
    "detach_": "detach",
    "data": "data",
    "tensor": "tensor",
    "as_tensor": "tensor",
    "new_tensor": "tensor",
    "grad": "grad",
}
"""Operations meant to detach a tensor, with the kind of their cut. grad: `torch.autograd.grad`."""

_WITHOUT_DATA = ("_like", "size", "requires_grad_", "backward", "__deepcopy__", "__reduce_ex__")
_NEW = ("new", "empty_strided", "result_type")


def cut_kind(operation: str, result: torch.Tensor | None, *, in_c: bool) -> str | None:
    """The kind of cut made by an operation whose input requires a gradient and whose result does not.

    result: its first tensor, or None. in_c: whether it is a function in C: one in Python calls those that cut.
    Returns None if it is not a cut (its result contains no data of the input).
    """
    if result is None:
        return CUTS_TO_NUMBERS.get(operation)
    if operation in CUTS_TO_TENSORS:
        return CUTS_TO_TENSORS[operation]
    if operation.endswith(_WITHOUT_DATA) or operation.startswith("new_") or operation in _NEW:
        return None
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    if not torch.is_grad_enabled():
        return "no_grad"
    if result.dtype is torch.bool:
        return "comparison"
    if not result.is_floating_point() and not result.is_complex():
        return "integer"
    return "no_derivative" if in_c else None


class Where(Struct):
    """A tensor and the location of an event.

    key: the tensor, if its Node is known. leaf: its number in `CutsAndWrites.leaves`, if it is a leaf. direct:
    whether user code called the operation itself, so that the location is exact. name: of the tensor, if it is
    not an operand of the expression.
    """

    operation: str
    place: Place | None
    direct: bool
    key: Key | None
    leaf: int | None
    name: str | None = None

    def described(self, sources: SourceExpressions) -> dict[str, Any]:
        expression = sources.expression(self.place) if self.place and self.direct else None
        return {
            "operation": self.operation,
            "source": sources.source(self.place) if self.place else None,
            "direct": self.direct,
            "leaf": self.leaf,
            "name": self.name or (expression.operand if expression else None),
            "assigned": expression.names[0] if expression and expression.names else None,
            "code": expression.text if expression else None,
        }


class Cut(Struct):
    """A tensor that requires a gradient gave one that does not, `count` times at this location.

    leaves: the numbers of the leaves that a gradient of the result would have reached; None: too many Nodes.
    region: where gradients were turned off, if that is the reason.
    number: the sequence number at its first time since the last report.
    """

    kind: str
    where: Where
    leaves: list[int] | None
    region: Place | None
    number: int | None
    count: int = 1


class Write(Struct):
    """An in-place write to a tensor.

    memory: the range of its elements, valid while it is alive. number: that of the next Node; 0 inside a custom
    Function.
    """

    where: Where
    memory: Memory | None
    number: int
    before: int
    after: int


class CutsAndWrites:
    """Cuts and writes in the order in which they happened."""

    def __init__(self, sources: SourceExpressions) -> None:
        self._sources = sources
        self.leaves = LeafRegistry()
        self.region: Place | None = None
        """The place that turned gradients off, while they are off."""
        self._cuts: list[Cut] = []
        self._cut_index: dict[Any, int] = {}
        self._writes: list[Write] = []
        self._reads: list[Where] = []
        self._ancestry: dict[int, tuple[TensorReference, frozenset[int]]] = {}

    def add_cut(self, kind: str, where: Where, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> None:
        """Record a cut of the `inputs` that require a gradient; `results` contain their data."""
        at = None if where.place is None else place_key(where.place)
        same = (kind, at, where.operation, where.key, where.leaf)
        index = self._cut_index.get(same)
        if index is not None:
            self._cuts[index].count += 1
            if self._cuts[index].number is None:
                self._cuts[index].number = sequence_number()
        elif len(self._cuts) < LIMIT:
            index = self._cut_index[same] = len(self._cuts)
            region = self.region if kind in ("no_grad", "sample") else None
            under = leaves_under(inputs, self.leaves)
            self._cuts.append(Cut(kind, where, under, region, sequence_number()))
        if index is not None:
            self._inherit(results, self.cut_ancestry(inputs) | {index})

    def mark_reported(self) -> None:
        """The cuts so far were reported; a repetition counts as a new cut."""
        for cut in self._cuts:
            cut.number = None

    def add_write(self, write: Write) -> None:
        """Record an in-place write."""
        if len(self._writes) < LIMIT:
            self._writes.append(write)

    def add_read(self, where: Where) -> None:
        """Record that the script read the grad of a non-leaf tensor."""
        if len(self._reads) < LIMIT:
            self._reads.append(where)

    def cut_ancestry(self, inputs: list[torch.Tensor], results: Sequence[torch.Tensor] = ()) -> frozenset[int]:
        """The cuts that the data of `inputs` went through; `results` inherit them if they do not require a
        gradient."""
        if not self._ancestry:
            return NO_CUTS
        found = NO_CUTS
        for tensor in inputs:
            kept = self._ancestry.get(id(tensor))
            if kept is not None and kept[0]() is tensor:
                found |= kept[1]
        if found:
            self._inherit([tensor for tensor in results if not tensor.requires_grad], found)
        return found

    def pass_on(self, data: torch.Tensor, copy: torch.Tensor) -> None:
        """The cuts that the data of a tensor went through are those of a copy, which may be a leaf that requires a
        gradient."""
        found = self.cut_ancestry([data])
        if found:
            self._inherit([copy], found)

    def cuts(self) -> list[dict[str, Any]]:
        """The cuts as plain dictionaries.

        Each has kind, operation, source, direct, from (sequence number and output number; None if unknown), leaf
        (a number in `leaves`, or None), name (the text of the tensor), assigned (the target of the result), code,
        count, leaves, region and number.
        """
        return [
            {
                "kind": cut.kind,
                **cut.where.described(self._sources),
                "from": cut.where.key,
                "count": cut.count,
                "leaves": cut.leaves,
                "region": self._sources.source(cut.region) if cut.region else None,
                "number": cut.number,
            }
            for cut in self._cuts
        ]

    def writes(self) -> list[dict[str, Any]]:
        """The writes as plain dictionaries.

        Each has operation, source, direct, to (sequence number and output number of the tensor before it), leaf,
        name, assigned, code, memory, number, before and after (versions).
        """
        return [
            {
                **write.where.described(self._sources),
                "to": write.where.key,
                "memory": write.memory,
                "number": write.number,
                "before": write.before,
                "after": write.after,
            }
            for write in self._writes
        ]

    def reads(self) -> list[dict[str, Any]]:
        """The reads of grads as plain dictionaries: operation, source, of (like `from` of a cut), name, code."""
        return [{**where.described(self._sources), "of": where.key} for where in self._reads]

    def _inherit(self, tensors: list[torch.Tensor], cuts: frozenset[int]) -> None:
        for tensor in tensors:
            self._ancestry[id(tensor)] = (reference_to(tensor), cuts)


def viewed_without_graph(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, or the one that it is a view of, if the view was made with gradients turned off: such a view
    requires a gradient as its base does, but has no grad_fn."""
    if not tensor.requires_grad or not is_leaf(tensor):
        return tensor
    base = base_of(tensor)
    return tensor if base is None else base


_MOST_NODES = 2_000
"""Maximum Nodes walked from a cut tensor: enough for an encoder of a hundred layers; takes a millisecond."""


def leaves_under(tensors: list[torch.Tensor], leaves: LeafRegistry) -> list[int] | None:
    """The numbers of the leaves from which these tensors were computed, or None if there are too many Nodes.

    Nodes that Python has walked are freed recursively (about 40,000 in a chain are too many), so few are walked.
    """
    found: dict[int, None] = {}
    waiting: list[Any] = []
    for given in tensors:
        tensor = viewed_without_graph(given)
        if tensor.requires_grad and tensor.grad_fn is None:
            found[leaves.add(tensor)] = None
        elif tensor.requires_grad and not is_changed_view(tensor):
            waiting.append(tensor.grad_fn)
    seen = set(waiting)
    for node in waiting:  # grows during the iteration
        if len(seen) > _MOST_NODES:
            return None
        variable = node.variable if hasattr(type(node), "variable") else None
        if isinstance(variable, torch.Tensor):
            found[leaves.add(variable)] = None
        for target, _ in node.next_functions:
            if target is not None and target not in seen:
                seen.add(target)
                waiting.append(target)
    return list(found)
