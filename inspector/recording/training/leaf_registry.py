"""Numbers and names of leaves, which are not kept alive."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from msgspec import Struct
from torch import nn

from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.torch_api.tensors import version_counter
from inspector.user_code.module_tree import ModuleTree
from inspector.user_code.variable_names import Names, Owner

_version = version_counter()

GradState: TypeAlias = tuple[int, int]
"""The identity of a grad, and its version."""


class Leaf(Struct):
    """What is known about a leaf.

    owner: the module whose parameter it is. has_run: whether an outermost module that contains it has run.
    source: where it was created, if seen. without_graph: where its module was called, if only with grad disabled.
    """

    reference: TensorReference
    name: str | None = None
    owner: Owner | None = None
    has_run: bool = False
    source: Any = None
    without_graph: Any = None


class LeafRegistry:
    """Leaves by number, in the order in which they were first seen.

    Each step looks up all parameters several times, so `add_all` does it in one pass in C.
    """

    def __init__(self) -> None:
        self._leaves: list[Leaf] = []
        self._numbers: dict[int, int] = {}  # by the id of a live tensor
        self._frozen: set[int] = set()
        self._adding = threading.RLock()  # leaves of several threads

    def __contains__(self, tensor: torch.Tensor) -> bool:
        return id(tensor) in self._numbers

    def __len__(self) -> int:
        return len(self._leaves)

    def __getitem__(self, number: int) -> Leaf:
        return self._leaves[number]

    def add(self, tensor: torch.Tensor) -> int:
        """The number of a leaf; its requires_grad is updated."""
        return self.add_all([tensor])[0]

    def add_all(self, tensors: Sequence[torch.Tensor]) -> list[int]:
        """`add` of each."""
        numbers = list(map(self._numbers.get, map(id, tensors)))
        found = [
            self._new(tensor) if number is None else number
            for number, tensor in zip(numbers, tensors, strict=True)
        ]
        frozen = [number for number, tensor in zip(found, tensors, strict=True) if not tensor.requires_grad]
        if frozen or self._frozen:
            self._frozen.difference_update(found)
            self._frozen.update(frozen)
        return found

    def _new(self, tensor: torch.Tensor) -> int:
        key = id(tensor)
        with self._adding:
            if key not in self._numbers:  # else the same tensor occurred twice
                reference = reference_to(tensor)
                reference.when_gone(tensor, functools.partial(self._numbers.pop, key))
                self._leaves.append(Leaf(reference))
                self._numbers[key] = len(self._leaves) - 1  # last: other threads read it
            return self._numbers[key]

    def name_of(self, tensor: torch.Tensor) -> str | None:
        """The name of a leaf; None if it is not known, or has none."""
        number = self._numbers.get(id(tensor))
        return None if number is None else self._leaves[number].name

    def requires_grad(self, number: int) -> bool:
        """Whether a leaf required a gradient at the last update."""
        return number not in self._frozen

    def tensor(self, number: int) -> torch.Tensor | None:
        """The leaf with this number, or None if the script has deleted it."""
        return self._leaves[number].reference()

    def tensors(self, numbers: Iterable[int]) -> list[torch.Tensor | None]:
        """The leaves with these numbers."""
        leaves = self._leaves
        return [leaves[number].reference() for number in numbers]

    def versions(self) -> list[int]:
        """torch's version counters of the leaves that are alive."""
        found = (leaf.reference() for leaf in self._leaves)
        return [_version(tensor) for tensor in found if tensor is not None]

    def update_names(self, names: Names) -> None:
        """Set the names of the leaves found in `names`; later calls override earlier ones."""
        known, leaves = self._numbers, self._leaves
        rows = [row for row in names.rows() if id(row[0]) in known or (row[0].requires_grad and is_leaf(row[0]))]
        numbers = self.add_all([tensor for tensor, _, _ in rows])
        for number, (_, name, owner) in zip(numbers, rows, strict=True):
            leaf = leaves[number]
            leaf.name, leaf.owner = name, owner

    def mark_as_run(self, trees: Iterable[ModuleTree], without_graph: Callable[[nn.Module], Any]) -> None:
        """Mark the parameters of these modules.

        without_graph: returns where a module was called, if only with grad disabled.
        """
        for tree in trees:
            numbers = self.add_all([tensor for _, _, _, tensor in tree.held])
            for number, (_, module, _, _) in zip(numbers, tree.held, strict=True):
                leaf = self._leaves[number]
                leaf.has_run, leaf.without_graph = True, without_graph(module)

    def find_sources(self, find: Callable[[torch.Tensor], Any]) -> None:
        """Set the places where leaves were created. find: returns the place of a leaf, or None."""
        for leaf in self._leaves:
            tensor = leaf.reference() if leaf.source is None else None
            if tensor is not None:
                leaf.source = find(tensor)

    def name(self, number: int) -> str:
        """The script's name for a leaf; `leaf 3` without one."""
        return self._leaves[number].name or f"leaf {number}"

    def names(self, numbers: Iterable[int]) -> list[str]:
        """The names of several leaves."""
        return [self.name(number) for number in numbers]


def is_leaf(tensor: torch.Tensor) -> bool:
    """`tensor.is_leaf`, which raises for a view created under no_grad whose base has been written since (as the
    padding row of an `nn.Embedding`); such a view is not a leaf."""
    try:
        return tensor.is_leaf
    except RuntimeError:
        return False


def grad_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The grad of a leaf; None for other tensors, for which torch would warn."""
    try:
        return tensor.grad if tensor.is_leaf else None
    except RuntimeError:  # see `is_leaf`
        return None


def grads_of(tensors: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """`grad_of` of each tensor; None for None."""
    try:
        return [tensor.grad if tensor is not None and tensor.is_leaf else None for tensor in tensors]
    except RuntimeError:
        return [None if tensor is None else grad_of(tensor) for tensor in tensors]


def grad_state(tensor: torch.Tensor | None) -> GradState | None:
    """The identity and version of a leaf's grad; None if it has none."""
    grad = None if tensor is None else grad_of(tensor)
    return None if grad is None else (id(grad), _version(grad))
