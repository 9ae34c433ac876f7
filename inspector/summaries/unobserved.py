"""Our own tensor operations, which nobody else shall see."""

from __future__ import annotations

from typing import Any

import torch


class unobserved:
    """While it is open: not recorded by autograd, not seen by the user's modes and subclasses.

    Entered for every tensor, so it is written out: contextlib alone costs 7 microseconds.
    """

    __slots__ = ("_functions", "_grad", "_modes")

    def __enter__(self) -> None:
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        self._grad = torch.is_grad_enabled()
        if self._grad:
            torch._C._set_grad_enabled(False)
        self._modes: Any = None
        if torch._C._len_torch_dispatch_stack() > 0:
            from torch.utils._python_dispatch import _disable_current_modes

            self._modes = _disable_current_modes()
            self._modes.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._modes is not None:
            self._modes.__exit__(*error)
        if self._grad:
            torch._C._set_grad_enabled(True)
        self._functions.__exit__(*error)


def somebody_observes() -> bool:
    """Whether a mode would see a question about an ordinary tensor, or an operation on it."""
    return bool(functions_observed() or operations_observed())


def nobody_observes(tensor: torch.Tensor) -> bool:
    """Whether an operation on an ordinary tensor is seen by nobody: within backward, mostly."""
    return not (
        functions_observed()  # first: they would see that we ask for requires_grad
        or operations_observed()
        or (torch.is_grad_enabled() and tensor.requires_grad)
    )


functions_observed = torch._C._len_torch_function_stack
operations_observed = torch._C._len_torch_dispatch_stack
