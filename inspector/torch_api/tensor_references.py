"""Weak references to tensors, which let go of a tensor while torch swaps its content.

`torch.utils.swap_tensors`, by which a module may convert or load its parameters, refuses a tensor with a weak
reference. So references are held in one place: they are given up before a swap and made again after it, and they
end when the inspector has no more work to do.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.utils

from inspector.torch_api.patch import Patch


class TensorReference:
    """A weak reference to a tensor: called, it returns the tensor; None if the tensor is gone, or if the inspector
    has ended its work.

    Callbacks are functions in C: no Python code of the inspector may run while a tensor is being dropped.

    held: weak references to the tensor, empty while there are none: always this list, for what calls the first of
    them in every step.
    """

    __slots__ = ("_callbacks", "held")

    def __init__(self, tensor: torch.Tensor) -> None:
        forget = functools.partial(_held.pop, id(tensor))
        self._callbacks: list[Callable[[Any], Any]] = [forget]
        self.held = [weakref.ref(tensor, forget)]

    def __call__(self) -> torch.Tensor | None:
        return self.held[0]() if self.held else None

    def hold(self, tensor: torch.Tensor) -> None:
        """Refer to this tensor."""
        self.held[:] = [weakref.ref(tensor, callback) for callback in self._callbacks]

    def let_go(self) -> None:
        """Refer to nothing."""
        self.held.clear()

    def when_gone(self, tensor: torch.Tensor, callback: Callable[[Any], Any]) -> None:
        """Call a function in C, with one argument, as soon as the tensor of this reference is gone."""
        self._callbacks.append(callback)
        self.held.append(weakref.ref(tensor, callback))

    def end(self) -> None:
        """Treat the tensor as gone."""
        self.let_go()
        for callback in self._callbacks:
            callback(None)


_held: dict[int, TensorReference] = {}
"""By the id of a tensor that is alive."""

NO_TENSOR = TensorReference(torch.empty(0, device="cpu"))
"""Refers to nothing."""
NO_TENSOR.let_go()


def reference_to(tensor: torch.Tensor) -> TensorReference:
    """The reference to a tensor; there is one for each while `REFERENCES` are used."""
    known = _held.get(id(tensor))
    if known is None:
        known = TensorReference(tensor)
        if REFERENCES.are_used:
            _held[id(tensor)] = known
    return known


class TensorReferences:
    """The uses of references: while there is none, no tensor is referred to. There is only one instance,
    `REFERENCES`."""

    def __init__(self) -> None:
        self._uses = 0
        self._changing = threading.RLock()  # recordings of several threads
        self._patch = Patch((torch.utils,), "swap_tensors", self._swapping)

    @property
    def are_used(self) -> bool:
        """Whether references are needed."""
        return self._uses > 0

    def open(self) -> None:
        """References are needed, until `close`."""
        with self._changing:
            self._uses += 1
            self._patch.install()

    def close(self) -> None:
        """The end of a use: after the last one, no reference leads to a tensor any more."""
        with self._changing:
            self._uses -= 1
            if self._uses:
                return
            self._patch.uninstall()
            while _held:
                _held.popitem()[1].let_go()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """References are needed while it is open."""
        self.open()
        try:
            yield
        finally:
            self.close()

    def _swapping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def swap_tensors(*tensors: Any, **named: Any) -> Any:
            given = [item for item in (*tensors, *named.values()) if id(item) in _held]
            references = [_held.pop(id(item)) for item in given]
            for reference in references:
                reference.let_go()
            try:
                return original(*tensors, **named)
            finally:
                for item, reference in zip(given, references, strict=True):
                    _renew(reference, item)

        return swap_tensors


def _renew(reference: TensorReference, tensor: Any) -> None:
    """After a swap: a leaf is still the same parameter; another tensor has another history."""
    if not tensor.is_leaf:
        reference.end()
    elif REFERENCES.are_used:
        reference.hold(tensor)
        _held[id(tensor)] = reference


REFERENCES = TensorReferences()
