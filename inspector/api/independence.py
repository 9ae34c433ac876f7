"""`inspector.assert_independent` and `inspector.assert_causal`: which part of the input an output depends on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from msgspec import Struct

from inspector.api.diagnose import GradientError
from inspector.recording.engine_hook import unrecorded_calls
from inspector.recording.positions import describe_origin, positions_text, used_positions, weigh_position
from inspector.report import Finding
from inspector.torch_api.modes import hidden
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, walk
from inspector.typography import pluralize

MOST = 8
"""Maximum number of positions of the output that are tried: the first, the last, and some between them."""


def assert_independent(output: torch.Tensor, input: torch.Tensor, dim: int = 0) -> None:
    """Raise GradientError (rule `samples-mix`) unless each sample of `output` depends on its own sample of `input`
    alone.

    dim: the dimension of the samples, in both. The gradient of the output of up to 8 samples with respect to the
    whole input is computed, with random weights; the graph and all grads stay as they are. The Node where the
    mixing begins is named, with its module and line if `inspector.record` is open.
    Raises TypeError for other arguments, ValueError for a dimension that does not exist or has different sizes, or
    if `output` does not depend on `input`.
    """
    _assert(output, input, dim, _Rule("samples-mix", lambda sample, other: other == sample, "sample", _MIX))


def assert_causal(output: torch.Tensor, input: torch.Tensor, time: int = 1) -> None:
    """Raise GradientError (rule `acausal`) if an earlier position of `output` depends on a later one of `input`.

    time: the dimension of the positions, in both. Otherwise as `assert_independent`.
    """
    _assert(output, input, time, _Rule("acausal", lambda now, other: other <= now, "position", _LATER))


_MIX = (
    "check view, reshape and transpose, the dimension of softmax and of norms, and batch norm in training mode, "
    "which mixes by design"
)
_LATER = "check the mask of the attention, the padding of convolutions, and the dimension of softmax and cumsum"


class _Rule(Struct, frozen=True):
    """may: whether a position of the output may depend on one of the input. unit: what a position is called."""

    name: str
    may: Callable[[int, int], bool]
    unit: str
    advice: str


def _assert(output: Any, input: Any, dim: int, rule: _Rule) -> None:
    size = _size(output, input, dim)
    for position in _tried(size):
        reached = _reached(output, input, dim, position)
        wrong = [other for other in reached if not rule.may(position, other)]
        if wrong:
            raise GradientError([_finding(rule, output, input, dim, (position, wrong))])


def _size(output: Any, input: Any, dim: int) -> int:
    """The number of positions. Raises TypeError or ValueError."""
    for name, tensor in (("output", output), ("input", input)):
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} is a {type(tensor).__name__}, not a tensor")
        if not tensor.requires_grad:
            advice = "call requires_grad_() on the input before the forward"
            raise ValueError(f"{name} does not require a gradient: {advice}")
        if not -tensor.dim() <= dim < tensor.dim():
            raise ValueError(f"{name} has {pluralize(tensor.dim(), 'dimension')}, so there is no dimension {dim}")
    if output.shape[dim] != input.shape[dim]:
        sizes = f"{output.shape[dim]} in output and {input.shape[dim]} in input"
        raise ValueError(f"dimension {dim} has different sizes: {sizes}")
    return int(output.shape[dim])


def _tried(size: int) -> list[int]:
    """The positions to try: all, or some at equal distances."""
    if size <= MOST:
        return list(range(size))
    return sorted({round(k * (size - 1) / (MOST - 1)) for k in range(MOST)})


def _reached(output: torch.Tensor, input: torch.Tensor, dim: int, position: int) -> list[int]:
    """The positions of the input that this position of the output depends on. Raises ValueError if none can be."""
    with hidden(), unrecorded_calls():
        weights = weigh_position(torch.zeros_like(output), dim, position)
        (gradient,) = torch.autograd.grad(output, input, weights, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise ValueError("output does not depend on input")
    return used_positions(gradient, dim)


def _finding(
    rule: _Rule, output: torch.Tensor, input: torch.Tensor, dim: int, found: tuple[int, list[int]]
) -> Finding:
    position, wrong = found
    node = _origin(rule, output, input, dim, position)
    source, where = (None, "") if node is None else describe_origin(node)
    others = positions_text(rule.unit, wrong)
    return Finding(
        rule=rule.name,
        severity="error",
        message=f"{rule.unit} {position} of the output depends on {others} of the input{where}",
        advice=rule.advice,
        location=source,
        backward_call=None,
        nodes=[],
        parameters=[],
        evidence={"dim": dim, "position": position, "depends_on": wrong},
    )


def _origin(
    rule: _Rule, output: torch.Tensor, input: torch.Tensor, dim: int, position: int
) -> AutogradNode | None:
    """The Node nearest to the output that passes a gradient to positions that this one may not depend on.

    Only tensors with as many positions in this dimension as the input are judged. None if none is found.
    """
    size, found = input.shape[dim], list[AutogradNode]()

    def is_wrong(tensor: torch.Tensor | None) -> bool | None:
        if tensor is None or tensor.dim() <= dim % input.dim() or tensor.shape[dim % input.dim()] != size:
            return None
        return not all(rule.may(position, other) for other in used_positions(tensor, dim % input.dim()))

    def note(node: AutogradNode) -> Callable[[Any, Any], None]:
        def after(passed: Any, arrived: Any) -> None:
            before, behind = list(map(is_wrong, arrived)), list(map(is_wrong, passed))
            if True in behind and True not in before:
                found.append(node)

        return after

    edge = gradient_edge(output)
    assert edge is not None
    with _hooks([(node, note(node)) for node in walk([edge]).nodes]):
        _reached(output, input, dim, position)
    return found[0] if found else None


@contextlib.contextmanager
def _hooks(pairs: list[tuple[AutogradNode, Callable[[Any, Any], None]]]) -> Iterator[None]:
    handles = [node.register_hook(hook) for node, hook in pairs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
