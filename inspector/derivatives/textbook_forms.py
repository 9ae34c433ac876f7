"""The gradient of a loss with respect to logits in one step: `p - t` for a cross-entropy.

torch computes it in several steps, from the probabilities of a softmax or a sigmoid. The form is given where the
functions between these and the root are those of a cross-entropy, and its value is the gradient that torch
measured.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from msgspec import Struct

from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.matrix_forms import agrees
from inspector.derivatives.matrix_operands import MatrixOperand, MatrixOperands
from inspector.derivatives.small_tensor import SmallTensor, small_tensor
from inspector.graph.node_names import op_of
from inspector.graph.topology import Pair

_LOGARITHMS = {"log", "log1p", "log_softmax", "binary_cross_entropy", "nll_loss"}
_REST = {
    *("add", "sub", "rsub", "rsub.Scalar", "neg", "mul", "div", "sum", "sum.dim_IntList", "mean", "mean.dim"),
    "dot",
    *("select", "index", "gather", "squeeze", "unsqueeze", "view", "reshape", "unbind", "alias", "slice"),
}
"""What a cross-entropy consists of besides logarithms."""


class _Probabilities(Struct, frozen=True):
    """Probabilities that a function computes. logits: what they are computed from."""

    function: str
    logits: Pair
    label: str
    array: SmallTensor


def add_textbook_forms(forward: ForwardReconstruction) -> None:
    """Set `closed_form` on the functions whose outputs are the logits of a cross-entropy."""
    operands = MatrixOperands(forward)
    roots = [function for function in forward.order if not any(forward.uses(function))]
    if len(roots) != 1 or forward.function(roots[0])["gradient"] != 1:  # also a vector, or unknown
        return
    for found in _probabilities(forward, operands):
        row = forward.function(found.logits[0])
        measured = small_tensor(row["gradient"])
        after = _after(forward, found.function)
        if measured is None or found.logits[1] or not _is_cross_entropy(forward, after, found.function):
            continue
        for text, value in _candidates(forward, operands, after, found):
            if agrees(value, measured, 1.0):
                row["closed_form"] = text
                break


def _probabilities(forward: ForwardReconstruction, operands: MatrixOperands) -> Iterator[_Probabilities]:
    for function in forward.order:
        below = [(target, edge["input_nr"]) for target, edge in forward.edges(function)]
        result = operands.tensor((function, 0))
        found = _known(forward, operands, function, below[0]) if below and result is not None else None
        if result is not None and found is not None:
            logits, label, array = found
            label = result.factor if _is_named(forward, function) and array is None else label
            if label is not None:
                yield _Probabilities(function, logits, label, result.array if array is None else array)


def _known(
    forward: ForwardReconstruction, operands: MatrixOperands, function: str, below: Pair
) -> tuple[Pair, str | None, SmallTensor | None] | None:
    """Logits, text and value of the probabilities that a function computes; None if it computes none.

    The value is None for the result of the function itself. below: its first input.
    """
    row, own = forward.function(function), operands.tensor(below)
    op, label = op_of(row["name"]), None if own is None else own.label
    if op in ("sigmoid", "softmax"):
        return below, None if label is None else f"{op}({label})", None
    if op == "log_softmax" and own is not None and label is not None:
        return below, f"softmax({label})", _softmax(own.array, row["attributes"].get("dim", -1))
    if op == "div" and op_of(forward.function(below[0])["name"]) == "exp":
        logits = next(((target, edge["input_nr"]) for target, edge in forward.edges(below[0])), None)
        value, result = None if logits is None else forward.value(logits), forward.value((function, 0))
        if logits is not None and value is not None and result is not None and _is_softmax(result, value):
            return logits, None, None
    return None


def _is_named(forward: ForwardReconstruction, function: str) -> bool:
    row = forward.tensor((function, 0))
    return row is not None and bool(row["name"])


def _softmax(logits: SmallTensor, axis: int) -> SmallTensor:
    powers = numpy.exp(logits - logits.max(axis=axis, keepdims=True))
    found: SmallTensor = powers / powers.sum(axis=axis, keepdims=True)
    return found


def _is_softmax(found: SmallTensor, logits: SmallTensor) -> bool:
    return any(agrees(_softmax(logits, axis), found) for axis in range(logits.ndim))


def _after(forward: ForwardReconstruction, function: str) -> list[str]:
    """The functions that a gradient passes before it arrives at this one."""
    found: dict[str, None] = {}
    waiting = [function]
    while waiting:
        for user in forward.uses(waiting.pop()):
            if user not in found:
                found[user] = None
                waiting.append(user)
    return list(found)


def _is_cross_entropy(forward: ForwardReconstruction, after: list[str], function: str) -> bool:
    ops = {op_of(forward.function(item)["name"]) for item in after}
    own = op_of(forward.function(function)["name"])
    return bool((ops | {own}) & _LOGARITHMS) and ops <= _LOGARITHMS | _REST


def _candidates(
    forward: ForwardReconstruction, operands: MatrixOperands, after: list[str], found: _Probabilities
) -> Iterator[tuple[str, SmallTensor]]:
    """Texts and values that may be the gradient: the probabilities minus each target, as a sum or as a mean."""
    p = found.array
    targets = [*_constants(operands, after), *_classes(forward, operands, after, p)]
    targets += [MatrixOperand("1", numpy.array(1.0)), MatrixOperand(None, numpy.array(0.0))]
    for target in targets:
        try:
            difference = p - target.array
        except ValueError:  # not of its shape
            continue
        if difference.shape != p.shape:
            continue
        text = found.label if target.label is None else f"{found.label} - {target.factor}"
        for count in dict.fromkeys((1, p.shape[0] if p.shape else 1, p.size)):
            whole = f"({text})" if target.label is not None else text
            yield (text if count == 1 else f"{whole} / {count}"), difference / count


def _constants(operands: MatrixOperands, after: list[str]) -> Iterator[MatrixOperand]:
    """The named constants of these functions, which may be targets."""
    for function in after:
        for operand in operands.of(function).values():
            if operand.label is not None and operand.label[0].isalpha():
                yield operand


def _classes(
    forward: ForwardReconstruction, operands: MatrixOperands, after: list[str], p: SmallTensor
) -> Iterator[MatrixOperand]:
    """Targets that are classes, as vectors that are 1 there: of `p[2]`, and of an index."""
    count = p.shape[-1] if p.shape else 0
    rows = numpy.eye(count)
    for function in after:
        row = forward.function(function)
        op, index = op_of(row["name"]), row["attributes"].get("index")
        if op == "select" and isinstance(index, int) and p.ndim == 1 and -count <= index < count:
            yield MatrixOperand(f"({', '.join(f'{one:g}' for one in rows[index])})", rows[index])
        if op in ("nll_loss", "gather", "index"):
            for operand in operands.of(function).values():
                if operand.label is not None and _are_classes(operand.array, count):
                    classes = operand.array.astype(int).reshape(p.shape[:-1])
                    yield MatrixOperand(f"onehot({operand.label})", rows[classes])


def _are_classes(array: SmallTensor, count: int) -> bool:
    return bool((array == array.astype(int)).all() and (array >= 0).all() and (array < count).all())
