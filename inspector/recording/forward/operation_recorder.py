"""Record single operations: their outputs, cuts and writes, the leaves they create and non-finite inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any

import torch
from msgspec import Struct
from msgspec.structs import replace

from inspector.graph.row_types import InputFields
from inspector.recording.forward.constant_arguments import ObservedCall
from inspector.recording.forward.cuts_and_writes import (
    CUTS_TO_NUMBERS,
    CUTS_TO_TENSORS,
    Key,
    Where,
    Write,
    cut_kind,
    viewed_without_graph,
)
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.operation_arguments import (
    BROADCASTING,
    IN_C,
    NO_OPERATIONS,
    SET_DATA,
    UNCOUNTED,
    WriteTarget,
    name_of,
    outer_operands,
    targets_of,
    tensors_among,
)
from inspector.recording.forward.outputs import NO_FACTS, StoredInputs, StoredOutput
from inspector.recording.forward.random_masks import RandomMasks
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.recording.training.leaf_registry import is_leaf
from inspector.tensor_stats import NOTHING, memory_of
from inspector.tensor_stats.plain_tensor import has_memory
from inspector.torch_api.engine import in_backward
from inspector.torch_api.frames import (
    OPTIMIZERS,
    TORCH,
    apply_caller,
    custom_forward,
    decorated_function,
    imports_within,
    in_constructor,
    in_sample,
    needs_gradient,
    operation_caller,
)
from inspector.torch_api.modes import hidden, unobserved
from inspector.torch_api.tensors import getter, is_changed_view, version_counter
from inspector.torch_api.tracers import is_tracing
from inspector.tracing.uses import SeenCall
from inspector.user_code.operand_texts import NO_TEXTS
from inspector.user_code.source_expressions import Expression, Place

GET_GRAD = getter("grad")

_version = version_counter()


class CurrentOperation(Struct):
    """A running operation. It does not outlive the operation, so it may hold tensors (but no frame).

    direct: whether user code called it itself. in_torch: whether torch's library in Python did.
    in_c: whether it is a function in C. number: the sequence number before it.
    """

    name: str
    place: Place | None
    direct: bool
    in_torch: bool
    in_optimizer: bool
    in_c: bool
    targets: list[WriteTarget]
    number: int


class OperationRecorder:
    """Records the operations of one thread: `before` and `after` each.

    record: filled in.
    before_each: called before each operation, with its arguments.
    fail: called with an internal error.
    """

    def __init__(
        self,
        record: ForwardRecord,
        before_each: Callable[[Iterable[Any]], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._outputs, self._sources, self._users = record.outputs, record.sources, record.users
        self._cuts_and_writes = record.cuts_and_writes
        self._places = record.places
        self._before_each, self._fail = before_each, fail
        self._random = RandomMasks()

    def before(
        self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any], caller: FrameType
    ) -> tuple[CurrentOperation | None, FrameType | None]:
        """The operation that is about to run (None if it is not one), and the user's frame in which it runs.

        caller: the frame that called the mode.
        """
        if is_unrecorded_context():
            return None, None
        user = None
        try:
            name = name_of(function)
            if name == "_set_grad_enabled" and arguments:
                self._note_region(bool(arguments[0]), caller)
            if getattr(function, "__name__", None) == "__get__" and function == GET_GRAD:
                self._note_read(arguments[0], caller)
            if name in UNCOUNTED:
                self._outputs.values.memory_is_shared()
            if name is None or (name in NO_OPERATIONS and function is not torch.autograd.grad):
                return None, None
            calling = operation_caller(caller)
            user = self._users.innermost(calling)
            if user is calling and user is not None:
                self._places.called.setdefault((id(user.f_code), user.f_lasti), (user.f_code, name))
            with hidden():
                self._before_each((*arguments, *options.values()))
                operation = CurrentOperation(
                    name,
                    self._users.place(calling, user),
                    user is calling,
                    calling is not None and calling.f_code.co_filename.startswith(TORCH),
                    calling is not None and OPTIMIZERS in calling.f_code.co_filename,
                    type(function) in IN_C,
                    targets_of(name, arguments, options, self._outputs),
                    sequence_number(),
                )
            return operation, user
        except Exception as error:
            self._fail(error)
            return None, user

    def after(
        self,
        operation: CurrentOperation,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        result: Any,
        caller: FrameType,
    ) -> None:
        """Record an operation that has run. caller: the frame that called the mode."""
        try:
            with hidden():
                inputs = tensors_among((*arguments, *options.values()))
                results = tensors_among(result if isinstance(result, (tuple, list)) else (result,))
                if operation.name == "requires_grad_":
                    results = inputs[:1]  # also for an assignment, which has no result
                if operation.name == "grad":
                    self._find_cut(operation, inputs, results, caller)
                    return  # what it created belongs to the backward call
                if sequence_number() != operation.number:
                    constants = partial(self._outputs.constants.of, arguments=arguments, options=options)
                    self._record_outputs(operation, inputs, results, constants)
                elif results:
                    self._cuts_and_writes.cut_ancestry(inputs, results)
                    self._random.note(operation.name, inputs, results)
                    self._find_leaves(operation, inputs, results)
                    self._find_non_finite(operation, inputs, results)
                elif operation.targets:  # `x[mask] = y` has no result
                    self._find_non_finite(operation, inputs, [target.tensor for target in operation.targets])
                self._find_cut(operation, inputs, results, caller)
                for target in operation.targets:
                    is_set = operation.name == SET_DATA and target.has_moved()
                    if is_set or _version(target.tensor) != target.version:
                        self._note_write(operation, target)
        except Exception as error:
            self._fail(error)

    def _record_outputs(
        self,
        operation: CurrentOperation,
        inputs: list[torch.Tensor],
        results: list[torch.Tensor],
        constants: Callable[[ObservedCall], SeenCall | None],
    ) -> None:
        first, end = operation.number, sequence_number()
        self._places.operations.mark(first, operation.place)
        self._places.operations.mark(end, None)
        cuts = self._cuts_and_writes.cut_ancestry(inputs, results)
        for tensor in inputs:
            if not tensor.requires_grad:
                self._outputs.values.note_shared(tensor)
        if not results:  # `b[0] = x` has no result
            results = [target.tensor for target in operation.targets]
        expression = self._sources.expression(operation.place) if operation.direct and operation.place else None
        call = constants(_observed(operation, expression))
        facts = self._facts_of_inputs(operation, inputs, results, call)
        known = {id(tensor) for tensor in inputs}
        for index, tensor in enumerate(results):
            if not tensor.requires_grad or is_leaf(tensor):
                continue
            alone = end == first + 1 and id(tensor) not in known
            if not alone and is_changed_view(tensor):
                continue  # reading its grad_fn could create a new Node, see `TensorKeys.of`
            key = (first, tensor.output_nr) if alone else self._outputs.keys.of(tensor)
            if key is None or not first <= key[0] < end:  # not a tensor of this operation
                continue
            name = expression.name(index, len(results)) if expression else None
            if expression and not name and any(tensor is target.tensor for target in operation.targets):
                name = expression.operand  # `h.mul_(2)`: it is still `h`
            text = expression.text if expression else None
            if expression and expression.callee not in (None, operation.name):
                self._outputs.clear_names(inputs, expression.text)  # `sum(losses)` adds several times
            recorded = StoredOutput(operation.name, operation.place, NOTHING, text, name, cuts, facts)
            self._outputs.add(tensor, key, recorded)

    def _facts_of_inputs(
        self,
        operation: CurrentOperation,
        inputs: list[torch.Tensor],
        results: list[torch.Tensor],
        call: SeenCall | None,
    ) -> StoredInputs:
        fields: InputFields = {}
        if operation.name in BROADCASTING and (operands := outer_operands(inputs)):
            fields["operands"] = operands
        if self._random.is_used(operation.name, inputs, results):
            fields["random"] = True
        given = self._outputs.non_finite.of(inputs)
        if not fields and given is None and call is None:
            return NO_FACTS  # the usual case
        return StoredInputs(fields, given, call)

    def _find_leaves(
        self, operation: CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        """Record where user code created a leaf: `torch.randn(3, requires_grad=True)`, `nn.Linear(2, 3)`."""
        for tensor in results:
            if operation.place is None or not tensor.requires_grad or not is_leaf(tensor):
                continue
            is_new = not any(tensor is other for other in inputs)
            if is_new or operation.name == "requires_grad_" or in_constructor(sys._getframe(2)):
                self._outputs.add_leaf(tensor, operation.place)

    def _find_non_finite(
        self, operation: CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        if not operation.in_optimizer:
            results = [tensor for tensor in results if not tensor.requires_grad]
            where = Where(operation.name, operation.place, operation.direct, None, None)
            self._outputs.non_finite.note(where, inputs, results)

    def _find_cut(
        self,
        operation: CurrentOperation,
        inputs: list[torch.Tensor],
        results: list[torch.Tensor],
        caller: FrameType,
    ) -> None:
        is_copied = operation.name in CUTS_TO_TENSORS and _is_copied(operation, inputs, results)
        if not is_copied and any(tensor.requires_grad for tensor in results):
            results = [tensor for tensor in results if tensor.dtype is torch.int64]  # the indices of topk
            if not results or not operation.in_c:
                return
        sources = [tensor for tensor in inputs if tensor.requires_grad]
        key = None
        if operation.name == "detach_" and operation.targets and operation.targets[0].key is not None:
            sources, key = [operation.targets[0].tensor], operation.targets[0].key
        if not sources:
            return
        kind = cut_kind(operation.name, results[0] if results else None, in_c=operation.in_c)
        if kind == "no_grad" and in_sample(operation_caller(caller)):
            kind = "sample"
        forward = custom_forward(sys._getframe(1)) if kind in ("no_grad", "inference_mode") else None
        if kind is None or (forward is not None and needs_gradient(forward)):
            return
        if forward is not None:
            kind, operation = "frozen_inputs", self._applying(operation, forward)
        if operation.in_torch and (operation.name in CUTS_TO_TENSORS or operation.name in CUTS_TO_NUMBERS):
            return  # torch detaches on purpose: to copy a parameter, in `torch.autograd.functional`, in DDP
        where = self._where(operation, sources[0], key or self._outputs.keys.of(sources[0]))
        self._cuts_and_writes.add_cut(kind, where, [*sources, *inputs], results)

    def _applying(self, operation: CurrentOperation, forward: FrameType) -> CurrentOperation:
        """An operation inside a custom Function, at the user's line that applied it. forward: its frame."""
        user = self._users.innermost(apply_caller(forward.f_back))
        return replace(operation, name="apply", place=self._users.place(user, user), direct=user is not None)

    def _note_read(self, tensor: torch.Tensor, frame: FrameType | None) -> None:
        """Record that user code reads the grad of a non-leaf tensor that does not retain it."""
        user = self._users.innermost(frame)
        if user is None or user is not frame:
            return
        with hidden():
            if tensor.requires_grad and not is_leaf(tensor) and not tensor.retains_grad:
                place = (user.f_code, user.f_lasti)
                self._cuts_and_writes.add_read(Where("grad", place, True, self._outputs.keys.of(tensor), None))

    def _note_region(self, enabled: bool, frame: FrameType | None) -> None:
        """Note where gradients are turned on or off, as the location of the cuts that this causes."""
        if enabled:
            self._cuts_and_writes.region = None
        elif torch.is_grad_enabled():
            code = decorated_function(frame)
            user = self._users.innermost(caller := operation_caller(frame))
            if code is not None:
                self._cuts_and_writes.region = self._users.function_place(code, user)
            else:
                self._cuts_and_writes.region = self._users.place(caller, user)

    def _note_write(self, operation: CurrentOperation, target: WriteTarget) -> None:
        tensor = target.tensor
        if operation.in_optimizer and not tensor.requires_grad:
            return
        if operation.place and not operation.direct and imports_within(operation.place[0], sys._getframe(2)):
            return
        where = self._where(operation, tensor, target.key)
        # The Node of a custom Function is created before its forward, which may write a tensor and then save it
        number = 0 if custom_forward(sys._getframe(1)) is not None else operation.number
        part = tensor
        if target.part is not None and has_memory(tensor):
            with unobserved():
                part = tensor.detach()[target.part]
        self._cuts_and_writes.add_write(Write(where, memory_of(part), number, target.version, _version(tensor)))

    def _where(self, operation: CurrentOperation, tensor: torch.Tensor, key: Key | None) -> Where:
        tensor = viewed_without_graph(tensor)
        leaf = self._cuts_and_writes.leaves.add(tensor) if tensor.requires_grad and is_leaf(tensor) else None
        return Where(operation.name, operation.place, operation.direct, key, leaf)


def _observed(operation: CurrentOperation, expression: Expression | None) -> ObservedCall:
    """The operation and its source texts. The texts of `sum(losses)` are not those of its additions."""
    is_call = expression is not None and expression.callee in (None, operation.name)
    texts = expression.operands if expression is not None and is_call else NO_TEXTS
    return ObservedCall(operation.name, operation.number, operation.place, texts)


def is_unrecorded_context() -> bool:
    """Whether this runs inside backward, or torch traces it."""
    return in_backward() or is_tracing()


def _is_copied(operation: CurrentOperation, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> bool:
    """Whether the result is a new leaf: `torch.tensor(loss, requires_grad=True)`."""
    if CUTS_TO_TENSORS.get(operation.name) != "tensor":
        return False
    return all(is_leaf(tensor) and not any(tensor is other for other in inputs) for tensor in results)
