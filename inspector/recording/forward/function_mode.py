"""Record single operations: a TorchFunctionMode that sees the calls of the user's thread while grad mode is on.

It sits at the bottom of the mode stack. A mode of the user that exits by popping the top (as
`TorchFunctionMode.__exit__` does) therefore never removes this one by mistake, and this one sees the calls that
actually run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import BuiltinFunctionType, FrameType, MethodDescriptorType
from typing import Any

import torch
import torch.overrides
from torch.overrides import TorchFunctionMode

from inspector.recording.forward.cuts_and_writes import CUTS_TO_TENSORS, CutsAndWrites, Key, Where, Write, cut_kind
from inspector.recording.forward.line_tracer import LineTracer
from inspector.recording.forward.operation_arguments import (
    BROADCASTING,
    NO_OPERATIONS,
    SET_DATA,
    UNCOUNTED,
    WriteTarget,
    name_of,
    outer_operands,
    targets_of,
    tensors_among,
)
from inspector.recording.forward.outputs import Outputs, _RecordedOutput
from inspector.recording.forward.sequence_ranges import SequenceRanges, sequence_number
from inspector.recording.training.leaf_registry import is_leaf
from inspector.tensor_stats import NOTHING, memory_of
from inspector.torch_api.engine import in_backward
from inspector.torch_api.frames import (
    OPTIMIZERS,
    beyond_dispatch,
    decorated_function,
    imports_within,
    in_constructor,
    in_custom_function,
)
from inspector.torch_api.modes import (
    FastPaths,
    modes_on_stack,
    push_at_bottom,
    take_off,
    take_off_after,
    without_functions,
)
from inspector.torch_api.tensors import getter, in_trace, in_transform, is_changed_view, version_counter
from inspector.user_code.source_expressions import Place, SourceExpressions

_WITHOUT_LINES = (BuiltinFunctionType, MethodDescriptorType)
"""Functions in C: what they create belongs to their operation, so no line needs tracing inside."""

GET_GRAD = getter("grad")

_version = version_counter()


class OperationMode(TorchFunctionMode):
    """Records the outputs, cuts and writes of one thread.

    before: called before each operation, with its arguments.
    fail: called with an internal error.
    """

    def __init__(
        self,
        outputs: Outputs,
        sources: SourceExpressions,
        lines: LineTracer,
        before: Callable[[Iterable[Any]], None],
        fail: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self.flow = CutsAndWrites()
        self.non_finite = outputs.non_finite
        self.ranges: SequenceRanges[Place] = SequenceRanges()
        self._outputs, self._sources, self._lines = outputs, sources, lines
        self._before_each, self._fail = before, fail
        self._fast_paths = FastPaths(self)
        self._recording = False
        self._handling = 0

    # On and off the stack

    def start(self) -> None:
        """Put the mode on the calling thread's stack, below all modes except the default device."""
        self._recording = True
        self._fast_paths.open()
        self._push_at_bottom()

    def stop(self) -> None:
        """Stop recording and leave the stack, now or when the current operation ends."""
        if not self._recording:
            return
        self._recording = False
        self._fast_paths.close()
        self._remove_from_stack()

    def _remove_from_stack(self) -> None:
        """Leave the stack of the calling thread, whatever is above."""
        take_off(self)

    def _push_at_bottom(self) -> None:
        if self._handling:  # torch has taken it off, and will put it back
            return
        push_at_bottom(self)

    @property
    def is_stale_on_stack(self) -> bool:
        """Whether it is still on the stack although it was stopped."""
        return not self._recording and any(mode is self for mode in modes_on_stack())

    # An operation

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
    ) -> Any:
        tracer = sys.gettrace()
        if is_ours := tracer in self._lines.tracers:  # until it is off, what we call costs an event each
            sys.settrace(None)
        options = options or {}
        operation, user = self._before(function, arguments, options)
        stays_off = is_ours and type(function) in _WITHOUT_LINES and (user is None or user.f_trace is not None)
        if not stays_off:
            self._lines.unpause(is_ours, user)
        self._handling += 1
        try:
            result = function(*arguments, **options)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # not our frame
            if stays_off and self._lines.running:
                sys.settrace(tracer)
            raise
        finally:
            self._handling -= 1
            if not self._recording:
                take_off_after(self, sys._getframe(1))
        if not stays_off:
            tracer = sys.gettrace()
            if is_ours := tracer in self._lines.tracers:
                sys.settrace(None)
        if operation is not None:
            self._after(operation, arguments, options, result)
        if is_ours and self._lines.running:
            sys.settrace(tracer)
        return result

    def _before(
        self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[_CurrentOperation | None, FrameType | None]:
        """The operation about to run, None if it is not an operation; and the user's frame in which it runs."""
        if not self._recording or not_ours():
            return None, None
        user = None
        try:
            name = name_of(function)
            if name == "_set_grad_enabled" and arguments:
                self._note_region(bool(arguments[0]), sys._getframe(2))
            if getattr(function, "__name__", None) == "__get__" and function == GET_GRAD:
                self._note_read(arguments[0], sys._getframe(2))
            if name in UNCOUNTED:
                self._outputs.shares()
            if name is None or name in NO_OPERATIONS:
                return None, None
            calling = beyond_dispatch(sys._getframe(2))
            user = self._lines.user_frame(calling)
            with without_functions():
                self._before_each((*arguments, *options.values()))
                operation = _CurrentOperation(
                    name,
                    (user.f_code, user.f_lasti) if user is not None else None,
                    user is calling,
                    calling is not None and OPTIMIZERS in calling.f_code.co_filename,
                    targets_of(name, arguments, options, self._outputs),
                    sequence_number(),
                )
            return operation, user
        except Exception as error:
            self._fail(error)
            return None, user

    def _after(
        self, operation: _CurrentOperation, arguments: tuple[Any, ...], options: dict[str, Any], result: Any
    ) -> None:
        try:
            with without_functions():
                inputs = tensors_among((*arguments, *options.values()))
                results = tensors_among(result if isinstance(result, (tuple, list)) else (result,))
                if operation.name == "requires_grad_":
                    results = inputs[:1]  # also where it is an assignment, which gives nothing back
                if sequence_number() != operation.number:
                    self._made_nodes(operation, inputs, results)
                elif results:
                    self.flow.cut_ancestry(inputs, results)
                    self._find_leaves(operation, inputs, results)
                    self._find_non_finite(operation, inputs, results)
                elif operation.targets:  # `x[mask] = y` gives nothing back
                    self._find_non_finite(operation, inputs, [target.tensor for target in operation.targets])
                self._find_cut(operation, inputs, results)
                for target in operation.targets:
                    if _version(target.tensor) != target.version or operation.name == SET_DATA:
                        self._note_write(operation, target)
        except Exception as error:
            self._fail(error)

    def _made_nodes(
        self, operation: _CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        first, end = operation.number, sequence_number()
        self.ranges.mark(first, operation.place)
        self.ranges.mark(end, None)
        cuts = self.flow.cut_ancestry(inputs, results)
        for tensor in inputs:
            if not tensor.requires_grad:
                self._outputs.note_shared(tensor)
        operands = outer_operands(inputs) if operation.name in BROADCASTING else None
        given = self.non_finite.of(inputs)
        if not results:  # `b[0] = x` gives nothing back
            results = [target.tensor for target in operation.targets]
        expression = self._sources.expression(operation.place) if operation.direct and operation.place else None
        known = {id(tensor) for tensor in inputs}
        for index, tensor in enumerate(results):
            if not tensor.requires_grad or is_leaf(tensor) or is_changed_view(tensor):
                continue  # to ask for its Node could make a new one, see `Outputs.key`
            alone = end == first + 1 and id(tensor) not in known
            key = (first, tensor.output_nr) if alone else self._outputs.key(tensor)
            if key is None or not first <= key[0] < end:  # not a tensor of this operation
                continue
            name = expression.name(index, len(results)) if expression else None
            if expression and not name and any(tensor is target.tensor for target in operation.targets):
                name = expression.operand  # `h.mul_(2)`: it is `h` still
            text = expression.text if expression else None
            if expression and expression.callee not in (None, operation.name):
                self._outputs.only_steps(inputs, expression.text)  # `sum(losses)` adds several times
            recorded = _RecordedOutput(operation.name, operation.place, NOTHING, text, name, cuts, operands, given)
            self._outputs.add(tensor, key, recorded)

    def _find_leaves(
        self, operation: _CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        """Note where user code created a leaf: `torch.randn(3, requires_grad=True)`, `nn.Linear(2, 3)`."""
        for tensor in results:
            if operation.place is None or not tensor.requires_grad or not is_leaf(tensor):
                continue
            is_new = not any(tensor is other for other in inputs)
            if is_new or operation.name == "requires_grad_" or in_constructor(sys._getframe(2)):
                self._outputs.add_leaf(tensor, operation.place)

    def _find_non_finite(
        self, operation: _CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        if not operation.in_optimizer:
            results = [tensor for tensor in results if not tensor.requires_grad]
            where = Where(operation.name, operation.place, operation.direct, None, None)
            self.non_finite.note(where, inputs, results)

    def _find_cut(
        self, operation: _CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        if operation.name not in CUTS_TO_TENSORS or not _is_copied(operation, inputs, results):
            for tensor in results:
                if tensor.requires_grad:
                    return
        sources = [tensor for tensor in inputs if tensor.requires_grad]
        key = None
        if operation.name == "detach_" and operation.targets and operation.targets[0].key is not None:
            sources, key = [operation.targets[0].tensor], operation.targets[0].key
        if not sources:
            return
        kind = cut_kind(operation.name, results[0] if results else None)
        if kind is None or (kind in ("no_grad", "inference_mode") and in_custom_function(sys._getframe(1))):
            return
        where = self._where(operation, sources[0], key or self._outputs.key(sources[0]))
        self.flow.add_cut(kind, where, [*sources, *inputs], results)

    def _note_read(self, tensor: torch.Tensor, frame: FrameType | None) -> None:
        """Note that the grad of a tensor is read: a non-leaf has none, unless it retains it."""
        user = self._lines.user_frame(frame)
        if user is None or user is not frame:
            return
        with without_functions():
            if tensor.requires_grad and not is_leaf(tensor) and not tensor.retains_grad:
                place = (user.f_code, user.f_lasti)
                self.flow.add_read(Where("grad", place, True, self._outputs.key(tensor), None))

    def _note_region(self, enabled: bool, frame: FrameType | None) -> None:
        """Note where gradients are turned on or off, which is the location of the cuts it causes."""
        if enabled:
            self.flow.region = None
        elif torch.is_grad_enabled():
            code = decorated_function(frame)
            decorated = None if code is None else (code, -1)  # the head of it
            user = None if decorated is not None else self._lines.user_frame(beyond_dispatch(frame))
            self.flow.region = decorated or ((user.f_code, user.f_lasti) if user is not None else None)

    def _note_write(self, operation: _CurrentOperation, target: WriteTarget) -> None:
        tensor = target.tensor
        if operation.in_optimizer and not tensor.requires_grad:
            return
        if operation.place and not operation.direct and imports_within(operation.place[0], sys._getframe(2)):
            return
        where = self._where(operation, tensor, target.key)
        # The Node of a custom Function is made before its forward, which may write what it then saves
        number = 0 if in_custom_function(sys._getframe(1)) else operation.number
        part = tensor if target.part is None else tensor.detach()[target.part]
        self.flow.add_write(Write(where, memory_of(part), number, target.version, _version(tensor)))

    def _where(self, operation: _CurrentOperation, tensor: torch.Tensor, key: Key | None) -> Where:
        leaf = self.flow.leaves.add(tensor) if tensor.requires_grad and is_leaf(tensor) else None
        return Where(operation.name, operation.place, operation.direct, key, leaf)


@dataclass(slots=True)
class _CurrentOperation:
    """An operation that is running. It only lives as long, so it may hold tensors, but no frame."""

    name: str
    place: Place | None
    direct: bool  # called by the user's code itself
    in_optimizer: bool
    targets: list[WriteTarget]
    number: int  # the sequence number before it


def not_ours() -> bool:
    """Whether this is inside of backward, of a compiled frame, of a torch.func transform or of jit.trace."""
    return in_backward() or torch.compiler.is_compiling() or in_transform() or in_trace()


def _is_copied(operation: _CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> bool:
    """Whether the result is a new leaf: `torch.tensor(loss, requires_grad=True)`."""
    if CUTS_TO_TENSORS.get(operation.name) != "tensor":
        return False
    return all(is_leaf(tensor) and not any(tensor is other for other in inputs) for tensor in results)
