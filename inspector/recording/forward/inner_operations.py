"""Record the values of the Nodes that one operation creates inside.

A Python function of torch, such as `multi_head_attention_forward`, runs its own code with the function mode on
the stack. A C++ function of `DISPATCHED` runs under a dispatch mode, which sees each operation after autograd has
created its Node. For attention and small recurrent cells, what is unknown is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeAlias

import torch
from torch.overrides import TorchFunctionMode

from inspector.graph.node_names import op_of
from inspector.recording.forward.created_nodes import created_nodes
from inspector.recording.forward.inner_cells import CELLS, can_compute, cell_values
from inspector.recording.forward.inner_products import attention_scores, linear_product
from inspector.recording.forward.operation_arguments import IN_C, tensors_among, tensors_of
from inspector.recording.forward.outputs import Outputs
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.tensor_stats import Pending
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.torch_api.inner_operations import FunctionBody, cut_traceback, dispatching_to
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, hidden, unobserved
from inspector.torch_api.nodes import output_metadata
from inspector.tracing.walk import AutogradNode

DISPATCHED = frozenset(
    [
        "adaptive_avg_pool1d",
        "adaptive_max_pool1d",
        "avg_pool1d",
        "bilinear",
        "cosine_embedding_loss",
        "cosine_similarity",
        "gru",
        "gru_cell",
        "hinge_embedding_loss",
        "kl_div",
        "l1_loss",
        "lstm",
        "lstm_cell",
        "margin_ranking_loss",
        "max_pool1d",
        "pairwise_distance",
        "poisson_nll_loss",
        "rms_norm",
        "rnn_relu",
        "rnn_relu_cell",
        "rnn_tanh",
        "rnn_tanh_cell",
        "triplet_margin_loss",
    ]
)
"""Functions in C++ that are made of several operations, and create the same Nodes with and without a dispatch
mode. With one, `reshape` and `ctc_loss` create others. A test compares the Nodes."""


_RESHAPING = frozenset(["bilinear", "gru", "lstm", "rnn_relu", "rnn_tanh"])
"""Those of `DISPATCHED` that may reshape an argument, and so create the same Nodes only for contiguous ones."""

_KNOWN_WITHOUT = frozenset(
    [
        "_log_softmax",
        "_softmax",
        "detach",
        "exp",
        "expand",
        "relu",
        "relu_",
        "sigmoid",
        "sigmoid_",
        "squeeze",
        "sqrt",
        "t",
        "tanh",
        "tanh_",
        "transpose",
        "unsqueeze",
        "view",
    ]
)
"""Operations whose results are not measured: their Nodes save them, or another tensor has the same elements."""

_ATTENTION = "scaled_dot_product_attention"


_MAY_BE_WATCHED = DISPATCHED | {"linear", _ATTENTION, None}
"""The names of functions in C inside which something may be seen."""


_Dispatched: TypeAlias = dict[tuple[int, str], list[tuple[torch.Size, Pending]]]
"""Shapes and values of the results of operations below autograd, in order of output number, by the number of the
newest Node then and the name of the operation."""


_Found: TypeAlias = Iterator[tuple[AutogradNode, int, Pending | torch.Tensor]]
"""Nodes, output numbers and values."""


class _Watch:
    """A context for one operation. After it, `returned` gets the result."""

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        pass

    def returned(self, result: Any) -> None:
        """Record what the operation created inside."""


NO_WATCH = _Watch()
"""For an operation that creates no Nodes inside."""


class InnerOperations:
    """Records the values of the Nodes that operations create inside.

    mode: the function mode that receives the operations. outputs: filled in. fail: called with an internal error.
    """

    def __init__(self, mode: TorchFunctionMode, outputs: Outputs, fail: Callable[[Exception], None]) -> None:
        self.outputs, self.fail = outputs, fail
        self.body = FunctionBody(mode)
        self.functions: list[Any] = []

    @property
    def is_inside(self) -> bool:
        """Whether the code of a Python function of torch is running."""
        return bool(self.functions)

    def is_single(self, function: Any) -> bool:
        """Whether a function is one in C that creates no Nodes inside, whatever its arguments."""
        return type(function) in IN_C and getattr(function, "__name__", None) not in _MAY_BE_WATCHED

    def watch(self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> _Watch:
        """The context in which to call a function."""
        kind = self._kind_of(function, arguments)
        if kind is None or not torch.is_grad_enabled() or any(function is running for running in self.functions):
            return NO_WATCH
        tensors = tensors_among((*arguments, *options.values()))
        if not all(type(item) in ORDINARY for item in tensors) or not any(item.requires_grad for item in tensors):
            return NO_WATCH
        return kind(self, function, arguments, options)

    def _kind_of(self, function: Any, arguments: tuple[Any, ...]) -> type[_InnerWatch] | None:
        if type(function) is FunctionType:
            return _WatchBody if self.body.can_run(function) else None
        name = getattr(function, "__name__", None)
        if name == "linear" and len(arguments) > 1 and type(arguments[0]) in ORDINARY:
            return None if arguments[0].is_contiguous() else _WatchLinear  # a class of the script would see this
        if name in CELLS and can_compute(arguments):
            return _WatchCell
        return _WatchDispatched if name in DISPATCHED else _WatchAttention if name == _ATTENTION else None

    def note(self, first: int, arguments: tuple[Any, ...], result: Any) -> None:
        """An operation inside a Python function has run. first: the sequence number before it."""
        end = sequence_number()
        if end == first:
            return
        try:
            if end == first + 1 and _is_new_tensor(result, arguments):  # nearly always
                only = first, result.output_nr
                if self.outputs.inner_value(only) is None:
                    self.outputs.add_inner(only, self.outputs.values.read(result))
                return
            with hidden():
                outputs, known = self.outputs, {id(tensor) for tensor in tensors_among(arguments)}
                for tensor in tensors_of(result):
                    is_alone = end == first + 1 and id(tensor) not in known and tensor.requires_grad
                    key = (first, tensor.output_nr) if is_alone else outputs.keys.of(tensor)
                    if key is not None and first <= key[0] < end and outputs.inner_value(key) is None:
                        outputs.add_inner(key, outputs.values.read(tensor))
        except Exception as error:
            self.fail(error)

    def record(self, find: Callable[[], _Found]) -> None:
        """Record the values that `find` yields."""
        try:
            with unobserved():
                for node, output_nr, found in find():
                    key = self.outputs.keys.engine_threads.sequence_number_of(node), output_nr
                    value = self.outputs.values.read(found) if isinstance(found, torch.Tensor) else found
                    self.outputs.add_inner(key, value)
        except Exception as error:
            self.fail(error)


_SEVERAL = frozenset([list, tuple])


def _is_new_tensor(result: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether a result is surely a tensor that an operation has made, and that no mode of the script sees."""
    if type(result) is not torch.Tensor or function_mode_count() or not result.requires_grad:
        return False
    return _SEVERAL.isdisjoint(map(type, arguments)) and id(result) not in map(id, arguments)


class _InnerWatch(_Watch):
    """One call of a function. The tensors among its arguments are alive until it ends."""

    def __init__(
        self, inner: InnerOperations, function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._inner, self._function = inner, function
        self._arguments, self._options = arguments, options
        self._first = sequence_number()


class _WatchBody(_InnerWatch):
    """A Python function, whose operations the mode receives."""

    def __enter__(self) -> _Watch:
        self._inner.functions.append(self._function)
        self._inner.body.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._inner.body.__exit__()
        self._inner.functions.pop()


class _WatchAttention(_InnerWatch):
    def returned(self, result: Any) -> None:
        created = created_nodes(result, self._first)
        self._inner.record(lambda: attention_scores(created, self._arguments, self._options))


class _WatchCell(_InnerWatch):
    def returned(self, result: Any) -> None:
        name = self._function.__name__
        self._inner.record(lambda: cell_values(name, created_nodes(result, self._first), self._arguments))


class _WatchLinear(_InnerWatch):
    def returned(self, result: Any) -> None:
        factor, weight = self._arguments[:2]
        self._inner.record(lambda: linear_product(created_nodes(result, self._first), factor, weight))


class _WatchDispatched(_InnerWatch):
    """A function in C++, whose operations a dispatch mode sees."""

    def __init__(self, *of_call: Any) -> None:
        super().__init__(*of_call)
        self._found: _Dispatched = {}
        is_safe = self._function.__name__ not in _RESHAPING or all(
            tensor.is_contiguous() for tensor in tensors_among((*self._arguments, *self._options.values()))
        )
        self._mode = dispatching_to(self._operation_ran) if is_safe and not dispatch_mode_count() else None

    def __enter__(self) -> _Watch:
        if self._mode is not None:
            self._mode.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        mode, self._mode = self._mode, None  # the mode refers to this object, which holds the arguments
        if mode is not None:
            mode.__exit__(kind, error, trace)
        if error is not None:
            cut_traceback(error)

    def returned(self, result: Any) -> None:
        if self._found:
            self._inner.record(lambda: _verified(self._found, created_nodes(result, self._first)))

    def _operation_ran(self, name: str, result: Any) -> None:
        """An operation below autograd has run; autograd creates the Node of an operation right before it."""
        try:
            if name in _KNOWN_WITHOUT:
                return
            number = sequence_number() - 1
            if number >= self._first and (number, name) not in self._found:
                value, tensors = self._inner.outputs.values.read, tensors_of(result)
                with hidden():
                    counted = not name.endswith("_")  # torch counts the write of one in place after this
                    results = [(tensor.shape, value(tensor, counted=counted)) for tensor in tensors]
                self._found[number, name] = results
        except Exception as error:
            self._inner.fail(error)


def _verified(found: _Dispatched, created: dict[int, AutogradNode]) -> Iterator[tuple[AutogradNode, int, Pending]]:
    """The results of the operations that have a Node, as its name and its outputs show.

    Between a Node and its operation others can run, which save something for it; an operation in place saves a
    clone of its input, which has a Node of its own.
    """
    known = set()
    for (newest, name), results in found.items():
        numbers = (newest, newest - 1) if name.endswith("_") else (newest,)
        number = next((number for number in numbers if _is_of(created.get(number), name)), None)
        if number is None or number in known:
            continue
        known.add(number)
        node = created[number]
        metadata = output_metadata(node) or ()
        for output_nr, (output, (shape, value)) in enumerate(zip(metadata, results, strict=False)):
            if list(output.shape) == list(shape):
                yield node, output_nr, value


def _is_of(node: AutogradNode | None, operation: str) -> bool:
    """Whether a Node is of this operation, as their names show."""
    op = operation.strip("_").removesuffix("_forward")
    return node is not None and op_of(node.name()).partition(".")[0] == op
