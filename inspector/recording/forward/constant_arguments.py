"""Note the arguments of operations that need no gradient: data, targets, masks, numbers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from msgspec import Struct

from inspector.graph.elements import MOST_ELEMENTS
from inspector.graph.values import unknown
from inspector.recording.training.leaf_registry import is_leaf
from inspector.tensor_stats import Pending, dtype_name
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.torch_api.tensors import version_counter
from inspector.tracing.tensor_facts import shape_of
from inspector.tracing.uses import SeenCall, SeenConstant, TensorType, Use
from inspector.user_code.operand_texts import NO_TEXT, NO_TEXTS, OperandText, OperandTexts
from inspector.user_code.source_expressions import Place
from inspector.util.frame_locals import frames_outwards, loop_variables, variables_of

_version = version_counter()

_LIMIT = 20_000
"""Maximum number of tensors remembered."""

_LARGE = Pending(unknown("only small constants are read in the forward"))

_WITHOUT_CONSTANTS = frozenset(
    [
        "__getitem__",
        "expand",
        "flatten",
        "log_softmax",
        "mean",
        "permute",
        "repeat",
        "reshape",
        "select",
        "softmax",
        "squeeze",
        "sum",
        "transpose",
        "unsqueeze",
        "view",
    ]
)
"""Frequent operations whose numbers are dimensions."""


class _Known(Struct):
    """A tensor that was an operand. value: None if it was not read, or if it has been written since."""

    reference: TensorReference
    use: Use
    version: int = -1
    value: Pending | None = None


class ObservedCall(Struct, frozen=True):
    """A call that created a Node. number: of the first one. place: None outside of user code.

    texts: of its operands, if user code made the call itself.
    """

    operation: str
    number: int
    place: Place | None
    texts: OperandTexts


class ConstantArguments:
    """The constants of the calls of one thread. read: returns the value of a tensor."""

    def __init__(self, read: Callable[[torch.Tensor], Pending]) -> None:
        self._read = read
        self._known: dict[int, _Known] = {}
        self._swapped: dict[tuple[int, int], bool] = {}

    def of(self, call: ObservedCall, arguments: tuple[Any, ...], options: dict[str, Any]) -> SeenCall | None:
        """The constants among the arguments of a call; None if there are none."""
        if call.operation in _WITHOUT_CONSTANTS:
            return None
        listed = arguments[0] if arguments and isinstance(arguments[0], (list, tuple)) else None
        if listed is not None:
            arguments = (*listed, *arguments[1:])
        texts = call.texts if call.texts.is_list == (listed is not None) else NO_TEXTS
        found: list[tuple[int | str, Any, OperandText]] = []
        count = len(arguments)
        for position, argument in enumerate(arguments):
            if _is_operand(argument):
                text = NO_TEXT if texts is NO_TEXTS else texts.at(self._turned(call, position, arguments), count)
                found.append((position, argument, text))
        found += [
            (keyword, argument, texts.keywords.get(keyword, NO_TEXT))
            for keyword, argument in options.items()
            if _is_operand(argument)
        ]
        if not found:
            return None
        constants = tuple(constant for item in found for constant in self._constant(call, *item))
        return SeenCall(call.operation, count, constants) if constants else None

    def use(self, tensor: torch.Tensor) -> Use | None:
        """The first use of a tensor under a name; None if there was none."""
        known = self._known.get(id(tensor))
        is_known = known is not None and known.reference() is tensor
        return known.use if known is not None and is_known and known.use.name else None

    def add_name(self, tensor: torch.Tensor, name: str) -> None:
        """Name a tensor that was used without a name, such as a frozen parameter, which only torch's code uses."""
        known = self._known.get(id(tensor))
        if known is not None and not known.use.name and known.reference() is tensor:
            known.use.name = name

    def _constant(
        self, call: ObservedCall, place: int | str, argument: Any, text: OperandText
    ) -> Iterator[SeenConstant]:
        """The constant that an argument is. A leaf that requires a gradient is none; its name is noted."""
        code, where = (None, 0) if call.place is None else call.place[:2]
        if not isinstance(argument, torch.Tensor):
            is_loops = code is not None and text.name is not None and text.name in loop_variables(code)
            yield SeenConstant(place, argument, text, None, None, id(code), where, is_loops)
            return
        if argument.requires_grad and text.name is None:
            return
        known = self._of_tensor(argument)
        if not known.use.name and text.name is not None:
            known.use.name, known.use.scope, known.use.number = text.name, id(code), call.number
        if argument.requires_grad:
            return
        value, use = self._value(argument, known), known.use
        kind = TensorType(list(shape_of(argument) or ()), dtype_name(argument.dtype))
        yield SeenConstant(place, value, text, use, kind, id(code), where)

    def _of_tensor(self, tensor: torch.Tensor) -> _Known:
        known = self._known.get(id(tensor))
        if known is None or known.reference() is not tensor:
            known = _Known(reference_to(tensor), Use())
            if len(self._known) < _LIMIT:
                self._known[id(tensor)] = known
        return known

    def _value(self, tensor: torch.Tensor, known: _Known) -> Pending:
        if tensor.is_nested or tensor.numel() > MOST_ELEMENTS:
            return _LARGE
        version = -1 if tensor.is_inference() else _version(tensor)
        if known.value is None or known.version != version:
            known.value, known.version = self._read(tensor), version
        return known.value

    def _turned(self, call: ObservedCall, position: int, arguments: tuple[Any, ...]) -> int:
        """The position in the source of an argument of an operator: `2 * x` calls `mul(x, 2)`."""
        if not call.texts.is_operator or len(arguments) != 2 or call.place is None:
            return position
        if call.operation.startswith("__r"):
            return 1 - position
        if isinstance(arguments[1], torch.Tensor):
            return position
        key = id(call.place[0]), call.place[1]
        if key not in self._swapped:
            self._swapped[key] = _is_swapped(call.texts, arguments[0], _frame_of(call.place[0]))
        return 1 - position if self._swapped[key] else position


def _is_operand(argument: Any) -> bool:
    if isinstance(argument, torch.Tensor):
        return not argument.requires_grad or is_leaf(argument)
    return isinstance(argument, (int, float, complex)) and not isinstance(argument, bool)


def _frame_of(code: CodeType) -> FrameType | None:
    return next((frame for frame in frames_outwards(sys._getframe(1)) if frame.f_code is code), None)


def _is_swapped(texts: OperandTexts, tensor: torch.Tensor, frame: FrameType | None) -> bool:
    """Whether the tensor is the right operand of an operator whose other operand is a number."""
    left, right = texts.positional
    if left == NO_TEXT or right == NO_TEXT:  # a number in the source
        return left == NO_TEXT
    if frame is None:
        return False
    is_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED
    variables = frame.f_globals | (variables_of(frame) if is_function else {})
    if left.name is not None and left.name in variables:
        return variables[left.name] is not tensor and not isinstance(variables[left.name], torch.Tensor)
    return right.name is not None and variables.get(right.name) is tensor
