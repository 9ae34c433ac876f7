"""Record where a tensor with a graph is wrapped in an `nn.Parameter`, which is a new leaf."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from inspector.recording.forward.cuts_and_writes import Where
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.training.leaf_registry import is_leaf
from inspector.tensor_stats.plain_tensor import has_memory
from inspector.torch_api.modes import hidden
from inspector.torch_api.modules import MODULE_FILE
from inspector.torch_api.tracers import is_tracing
from inspector.util.frame_locals import variables_of


class WrappedParameters:
    """Records a cut where user code gives a module a parameter that shares the memory of a tensor with a graph.

    record: filled in. fail: called with an internal error.
    """

    def __init__(self, record: ForwardRecord, fail: Callable[[Exception], None]) -> None:
        self._record, self._fail = record, fail
        self._handle: Any = None

    def start(self) -> None:
        """Install the hook."""
        self._handle = register_module_parameter_registration_hook(self._registered)

    def stop(self) -> None:
        """Remove the hook."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _registered(self, module: nn.Module, name: str, parameter: Any) -> None:
        if torch.compiler.is_compiling() or is_tracing() or not self._record.is_recorders_thread():
            return
        try:
            frame = _setter(sys._getframe(1))
            if frame is not None and self._record.users.is_users(frame.f_code) and parameter is not None:
                with hidden():
                    self._note(frame, parameter)
        except Exception as error:
            self._fail(error)

    def _note(self, frame: FrameType, parameter: torch.Tensor) -> None:
        if not parameter.requires_grad or not has_memory(parameter) or parameter.numel() == 0:
            return
        cuts = self._record.cuts_and_writes
        address = parameter.untyped_storage().data_ptr()
        for variable, tensor in _with_graph(variables_of(frame)):
            if tensor.untyped_storage().data_ptr() == address:
                key = self._record.outputs.keys.of(tensor)
                where = Where("Parameter", (frame.f_code, frame.f_lasti), True, key, None, variable)
                cuts.add_cut("parameter", where, [tensor], [parameter])
                return


def _setter(frame: FrameType | None) -> FrameType | None:
    """The frame that set an attribute of a module. frame: the one that called the hook."""
    while frame is not None and frame.f_code.co_filename == MODULE_FILE:
        frame = frame.f_back
    return frame


def _with_graph(variables: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The variables that are tensors with a grad_fn."""
    for name, value in variables.items():
        is_tensor = issubclass(type(value), torch.Tensor)
        if is_tensor and value.requires_grad and not is_leaf(value) and has_memory(value):
            yield name, value
