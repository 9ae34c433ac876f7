"""Which leaf is which: a number and a name for every parameter that is spoken of, without keeping it alive."""

from __future__ import annotations

import weakref

import torch

from inspector.naming import Names


class Leaves:
    """Leaves by their number, in the order in which they were first met."""

    def __init__(self) -> None:
        self._tensors: list[weakref.ref[torch.Tensor]] = []
        self._names: list[str | None] = []
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._tensors)

    def add(self, tensor: torch.Tensor) -> int:
        """The number of a leaf."""
        number = self._numbers.get(id(tensor))
        if number is None or self._tensors[number]() is not tensor:
            number = self._numbers[id(tensor)] = len(self._tensors)
            self._tensors.append(weakref.ref(tensor))
            self._names.append(None)
        return number

    def tensor(self, number: int) -> torch.Tensor | None:
        """The leaf with this number, None if the script has dropped it."""
        return self._tensors[number]()

    def learn(self, names: Names) -> None:
        """Take the names of the leaves among `names`: those of the latest backward call stand."""
        for tensor in names.tensors:
            if (tensor.requires_grad and tensor.grad_fn is None) or id(tensor) in self._numbers:
                self._names[self.add(tensor)] = names.name(tensor)

    def name(self, number: int) -> str:
        """What the script calls a leaf, else `leaf 3`."""
        return self._names[number] or f"leaf {number}"

    def names(self, numbers: list[int]) -> list[str]:
        """The names of several leaves."""
        return [self.name(number) for number in numbers]
