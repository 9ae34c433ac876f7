"""Torch's inference kernels run, although a mode of ours lies on the stack.

`nn.TransformerEncoderLayer`, `nn.TransformerEncoder` and `nn.MultiheadAttention` ask `has_torch_function` before
they take a fast path, whose last bits differ; where a mode is, the answer is yes for every tensor. All others in
torch that ask it only call the mode then, which calls the same function.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.overrides
from torch.jit import _builtins
from torch.overrides import TorchFunctionMode

_NAME = "aten::has_torch_function"
"""What TorchScript compiles a call of it to."""


class FastPaths:
    """From `open` to `close`, `torch.overrides.has_torch_function` does not count `mode`."""

    def __init__(self, mode: TorchFunctionMode) -> None:
        self._mode = mode
        self._original: Any = None
        self._installed: Any = None

    def open(self) -> None:
        """Stand in the place of the function. Does nothing if it does already."""
        if self._installed is not None:
            return
        original = self._original = torch.overrides.has_torch_function
        mode = self._mode

        def has_torch_function(arguments: Any) -> Any:
            count = torch._C._len_torch_function_stack()
            if count != 1 or torch._C._get_function_stack_at(0) is not mode:
                return original(arguments)
            torch._C._pop_torch_function_stack()
            try:
                return original(arguments)
            finally:
                torch._C._push_on_torch_function_stack(mode)

        self._installed = has_torch_function
        torch.overrides.has_torch_function = has_torch_function  # type: ignore[assignment]
        _builtins._register_builtin(has_torch_function, _NAME)

    def close(self) -> None:
        """Put the original back. Where somebody has wrapped ours since, it stays and passes calls on."""
        if self._installed is None:
            return
        if torch.overrides.has_torch_function is self._installed:
            torch.overrides.has_torch_function = self._original
            _builtins._get_builtin_table().pop(id(self._installed), None)  # type: ignore[no-untyped-call]
        self._installed = None
