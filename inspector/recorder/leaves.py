"""Which leaf is which: a number and a name for every parameter that is spoken of, without keeping it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from inspector.module_tree import ModuleTree
from inspector.naming import Names, Owner

GradState: TypeAlias = tuple[int, int]
"""The identity of a grad, and its version."""


@dataclass(slots=True)
class Leaf:
    """owner: the module whose parameter it is. ran: whether an outermost module that ran has it. source: where it
    was made, if that was seen. without_graph: where its module was called, if it never was with grad enabled."""

    reference: weakref.ref[torch.Tensor]
    requires_grad: bool
    name: str | None = None
    owner: Owner | None = None
    ran: bool = False
    source: Any = None
    without_graph: Any = None


class Leaves:
    """Leaves by their number, in the order in which they were first met."""

    def __init__(self) -> None:
        self._leaves: list[Leaf] = []
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._leaves)

    def __getitem__(self, number: int) -> Leaf:
        return self._leaves[number]

    def add(self, tensor: torch.Tensor) -> int:
        """The number of a leaf; its requires_grad is looked at anew."""
        number = self._numbers.get(id(tensor))
        if number is None or self._leaves[number].reference() is not tensor:
            number = self._numbers[id(tensor)] = len(self._leaves)
            self._leaves.append(Leaf(weakref.ref(tensor), tensor.requires_grad))
        self._leaves[number].requires_grad = tensor.requires_grad
        return number

    def add_all(self, tensors: Iterable[torch.Tensor]) -> list[int]:
        """`add` of each: a step does it several times for all parameters."""
        numbers, leaves, found = self._numbers, self._leaves, []
        for tensor in tensors:
            number = numbers.get(id(tensor))
            if number is None or leaves[number].reference() is not tensor:
                number = self.add(tensor)
            else:
                leaves[number].requires_grad = tensor.requires_grad
            found.append(number)
        return found

    def tensor(self, number: int) -> torch.Tensor | None:
        """The leaf with this number, None if the script has dropped it."""
        return self._leaves[number].reference()

    def learn(self, names: Names) -> None:
        """Take the names of the leaves among `names`: those of the latest backward call stand."""
        numbers, leaves = self._numbers, self._leaves
        for tensor in names.tensors:
            number = numbers.get(id(tensor))
            if number is None or leaves[number].reference() is not tensor:
                if not (tensor.requires_grad and is_leaf(tensor)):
                    continue
                number = self.add(tensor)
            leaf = leaves[number]
            leaf.requires_grad = tensor.requires_grad
            leaf.name, leaf.owner = names.name(tensor), names.owner(tensor)

    def ran(self, trees: Iterable[ModuleTree], without_graph: Callable[[nn.Module], Any]) -> None:
        """Note that these modules have run; without_graph: where a module was called, if only under no_grad."""
        for tree in trees:
            for _, module in tree.modules:
                place = without_graph(module)
                for tensor in module._parameters.values():
                    if tensor is not None:
                        leaf = self._leaves[self.add(tensor)]
                        leaf.ran, leaf.without_graph = True, place

    def find_sources(self, find: Callable[[torch.Tensor], Any]) -> None:
        """Note where they were made; find: gives that, or None."""
        for leaf in self._leaves:
            tensor = leaf.reference() if leaf.source is None else None
            if tensor is not None:
                leaf.source = find(tensor)

    def name(self, number: int) -> str:
        """What the script calls a leaf, else `leaf 3`."""
        return self._leaves[number].name or f"leaf {number}"

    def names(self, numbers: Iterable[int]) -> list[str]:
        """The names of several leaves."""
        return [self.name(number) for number in numbers]


def is_leaf(tensor: torch.Tensor) -> bool:
    """`tensor.is_leaf`, which raises for a view made under no_grad whose base was written since (as the padding
    row of an `nn.Embedding` is): that view is none."""
    try:
        return tensor.is_leaf
    except RuntimeError:
        return False


def grad_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The grad of a leaf; of any other tensor torch would warn, so None."""
    try:
        return tensor.grad if tensor.is_leaf else None
    except RuntimeError:  # see `is_leaf`
        return None


def grad_state(tensor: torch.Tensor | None) -> GradState | None:
    """Which grad a leaf has, at which version; None where it has none."""
    grad = None if tensor is None else grad_of(tensor)
    return None if grad is None else (id(grad), grad._version)
