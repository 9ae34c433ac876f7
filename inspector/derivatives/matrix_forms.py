"""The gradient along an edge in matrices: `δ xᵀ`, `Wᵀ δ`, `δ ⊙ (1 - h²)`, where δ is the gradient that arrives.

A rule gives a text and computes its value from the recorded numbers. The text is kept only if the value is the
gradient that torch measured on the edge.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy

from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.matrix_operands import MatrixOperand, MatrixOperands, number_text
from inspector.derivatives.small_tensor import SmallTensor, full_tensor, small_tensor
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow

DELTA = "δ"

_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")

_TOLERANCE = 1e-5
"""Relative to the largest element: sums of float32 products in another order."""

_STEP = 2.4e-7
"""Two units in the last place of a float32."""

Form: TypeAlias = "tuple[str | None, SmallTensor]"
"""A text, None if a part of it has no name, and its value."""

_Rule: TypeAlias = "Callable[[_Call], Form | None]"


class _Call:
    """One edge of a function: what arrives, its operands by position, its result and its attributes.

    position, shape: of the operand that the edge leads to. scale: the size of terms that a rule subtracts from one
    another, which may cancel.
    """

    def __init__(self, row: FunctionRow, delta: SmallTensor, position: int, shape: tuple[int, ...]) -> None:
        self.attributes = row["attributes"]
        self.is_start = delta.shape == () and delta.item() == 1 and row["step"] == 1
        self.delta, self.position, self.shape = delta, position, shape
        self.operands: dict[int, MatrixOperand] = {}
        self.result: MatrixOperand | None = None
        self.scale = 0.0

    @property
    def own(self) -> MatrixOperand | None:
        """The operand that the edge leads to."""
        return self.operands.get(self.position)

    def other(self, position: int | None = None) -> MatrixOperand:
        """Another operand; raises KeyError if it is unknown. position: by default the other one of two."""
        return self.operands[1 - self.position if position is None else position]

    def times(self, factor: str | None) -> str | None:
        """`factor ⊙ δ`; where δ is the 1 from which backward starts, only the factor."""
        if factor is None:
            return None
        if self.is_start:
            return factor
        if _NUMBER.fullmatch(factor):
            return f"{factor} {DELTA}"
        return f"{DELTA} ⊙ {_bracketed(factor)}" if self.delta.shape else f"{DELTA} · {_bracketed(factor)}"


def add_matrix_forms(forward: ForwardReconstruction) -> None:
    """Set `matrix` on the edges between small tensors that are not both single numbers, where a form is known."""
    operands = MatrixOperands(forward)
    for function in forward.order:
        row = forward.function(function)
        delta, rules = full_tensor(row["gradient"]), _RULES.get(op_of(row["name"]))
        for position, edge in operands.slots(function) if delta is not None else ():
            gradient = full_tensor(edge.get("gradient"))
            if gradient is None or delta is None or not (gradient.shape or delta.shape):
                continue
            call = _Call(row, delta, position, gradient.shape)
            call.operands, call.result = operands.of(function), operands.tensor((function, 0))
            rule = rules[min(position, len(rules) - 1)] if rules else None
            for form in _forms(call, rule, edge.get("local")):
                if form[0] is not None and agrees(form[1], gradient, call.scale):
                    edge["matrix"] = form[0]
                    break


def _forms(call: _Call, rule: _Rule | None, local: object) -> Iterator[Form]:
    """The form of the table, then that of the local derivative of an elementwise function."""
    if rule is not None:
        try:
            with numpy.errstate(all="ignore"):
                form = rule(call)
        except (KeyError, ValueError, IndexError, TypeError, ArithmeticError):  # shapes that the rule is not for
            form = None
        if form is not None:
            yield form
    if isinstance(local, dict) and isinstance(local.get("symbol"), str):
        factor = small_tensor(local["value"])
        if factor is not None:
            text = call.times(local["symbol"])
            yield {"1": DELTA, "-1": f"-{DELTA}"}.get(local["symbol"], text), call.delta * factor


def agrees(value: SmallTensor, measured: SmallTensor, scale: float = 0.0) -> bool:
    """Whether a computed gradient is the measured one, up to the rounding of sums, and of differences of terms of
    this scale."""
    if value.shape != measured.shape or not numpy.isfinite(value).all():
        return False
    largest = float(numpy.abs(measured).max(initial=0.0))
    allowed = _TOLERANCE * largest + _STEP * scale
    return bool(numpy.abs(value - measured).max(initial=0.0) <= allowed)


def _bracketed(factor: str) -> str:
    """A factor in brackets if it is a sum."""
    depth = 0
    for place, sign in enumerate(factor):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and place and sign in "+-" and factor[place - 1] == " ":
            return f"({factor})"
    return factor


def _unbroadcast(value: SmallTensor, shape: tuple[int, ...]) -> SmallTensor:
    """The sum over the dimensions in which an operand was broadcast."""
    while value.ndim > len(shape):
        value = value.sum(axis=0)
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and value.shape[axis] != 1)
    return value.sum(axis=axes, keepdims=True) if axes else value


def _summed(call: _Call, text: str | None, value: SmallTensor) -> Form | None:
    """A form, summed where the operand was broadcast."""
    if value.shape == call.shape:
        return text, value
    if text is not None:
        text = f"-Σ {text[1:]}" if text.startswith("-") else f"Σ {_bracketed(text)}"
    return text, _unbroadcast(value, call.shape)


def _scaled(factor: float) -> _Rule:
    def rule(call: _Call) -> Form | None:
        scale = factor * (call.attributes.get("alpha", 1) if call.position == 1 else 1)
        sign = "-" if scale < 0 else ""
        number = "" if abs(scale) == 1 else f"{number_text(abs(scale))} "
        return _summed(call, f"{sign}{number}{DELTA}", scale * call.delta)

    return rule


def _product(call: _Call) -> Form | None:
    other = call.other()
    if other.array.shape or not call.delta.shape:
        text = call.times(other.label)
    else:
        text = None if other.factor is None else f"{other.factor} {DELTA}"
    return _summed(call, text, call.delta * other.array)


def _quotient(call: _Call) -> Form | None:
    divisor = call.other(1)
    if call.position == 0:
        return _summed(call, _over(DELTA, divisor.factor), call.delta / divisor.array)
    dividend = call.other(0)
    top = call.times(dividend.label)
    text = None if top is None or divisor.factor is None else f"-{top} / {divisor.factor}²"
    return _summed(call, text, -call.delta * dividend.array / divisor.array**2)


def _over(top: str | None, bottom: str | None) -> str | None:
    return None if top is None or bottom is None else f"{top} / {bottom}"


def _reversed(call: _Call) -> Form | None:
    return f"-{DELTA}", -call.delta


def _power(call: _Call) -> Form | None:
    base, exponent = call.other(0), call.other(1)
    if exponent.array.shape or base.factor is None or exponent.label is None:
        return None
    power = exponent.array.item()
    rest = {2.0: base.factor, 3.0: f"{base.factor}²"}.get(power)
    text = f"{number_text(power)} {call.times(rest)}" if rest else None
    return text, call.delta * power * base.array ** (power - 1)


def _by_result(text: Callable[[str], str], slope: Callable[[SmallTensor], SmallTensor]) -> _Rule:
    """A rule for a function whose derivative is one of its result, if that has a name."""

    def rule(call: _Call) -> Form | None:
        if call.result is None or call.result.factor is None:
            return None
        return call.times(text(call.result.factor)), call.delta * slope(call.result.array)

    return rule


def _by_input(text: Callable[[str], str], slope: Callable[[SmallTensor], SmallTensor]) -> _Rule:
    def rule(call: _Call) -> Form | None:
        if call.own is None or call.own.factor is None:
            return None
        return call.times(text(call.own.factor)), call.delta * slope(call.own.array)

    return rule


def _square_root(call: _Call) -> Form | None:
    if call.result is None or call.result.factor is None:
        return None
    top = "1" if call.is_start else DELTA
    return f"{top} / (2 {call.result.factor})", call.delta / (2 * call.result.array)


def _log(call: _Call) -> Form | None:
    if call.own is None:
        return None
    return _over("1" if call.is_start else DELTA, call.own.factor), call.delta / call.own.array


def _relu(call: _Call) -> Form | None:
    if call.own is None or call.own.label is None:
        return None
    return call.times(f"1[{call.own.label} > 0]"), call.delta * (call.own.array > 0)


def _first_factor(call: _Call) -> Form | None:
    """∂ of the left factor of a product of matrices: `δ Bᵀ`."""
    other = call.other(call.position + 1)
    text = None if other.transposed is None else f"{DELTA} {other.transposed}"
    return text, call.delta @ _transposed(other.array)


def _second_factor(call: _Call) -> Form | None:
    other = call.other(call.position - 1)
    text = None if other.transposed is None else f"{other.transposed} {DELTA}"
    return text, _transposed(other.array) @ call.delta


def _transposed(array: SmallTensor) -> SmallTensor:
    return numpy.swapaxes(array, -1, -2)


def _matrix_of_vector(call: _Call) -> Form | None:
    """∂ of W in `W x`: `δ xᵀ`."""
    vector = call.other(call.position + 1)
    text = None if vector.transposed is None else f"{DELTA} {vector.transposed}"
    return text, numpy.outer(call.delta, vector.array)


def _vector(call: _Call) -> Form | None:
    matrix = call.other(call.position - 1)
    text = None if matrix.transposed is None else f"{matrix.transposed} {DELTA}"
    return text, matrix.array.T @ call.delta


def _of_scalar_product(call: _Call) -> Form | None:
    other = call.other()
    text = None if other.factor is None else other.factor if call.is_start else f"{DELTA} {other.factor}"
    return text, call.delta * other.array


def _spread(divides: bool) -> _Rule:
    """∂ of a sum or a mean: every element gets δ."""

    def rule(call: _Call) -> Form | None:
        delta, shape = call.delta, call.shape
        if delta.shape and delta.ndim < len(shape) and not call.attributes.get("keepdim"):
            for axis in sorted(axis % len(shape) for axis in _axes(call)):
                delta = numpy.expand_dims(delta, axis)
        count = math.prod(shape) / max(1, delta.size) if divides else 1
        top = "1" if call.is_start else DELTA
        text = f"{top} / {number_text(count)}" if count != 1 else top
        return f"{text} for each", numpy.broadcast_to(delta / count, shape)

    return rule


def _axes(call: _Call) -> list[int]:
    found = call.attributes.get("dim")
    return [found] if isinstance(found, int) else list(found or range(len(call.shape)))


def _transpose(call: _Call) -> Form | None:
    return (f"{DELTA}ᵀ", call.delta.T) if call.delta.ndim == 2 else None


def _softmax(call: _Call) -> Form | None:
    """`p ⊙ (δ - pᵀδ)`, in rows: the sum over each row."""
    if call.result is None or call.result.factor is None:
        return None
    p, axis = call.result.array, call.attributes.get("dim", -1)
    call.scale = float(numpy.abs(call.delta).max(initial=0.0))
    inner = (p * call.delta).sum(axis=axis, keepdims=True)
    name = call.result.factor
    mean = f"{name}ᵀ {DELTA}" if p.ndim == 1 else f"Σ {name} ⊙ {DELTA}"
    return f"{name} ⊙ ({DELTA} - {mean})", p * (call.delta - inner)


def _log_softmax(call: _Call) -> Form | None:
    if call.own is None or call.own.label is None:
        return None
    shifted = call.own.array - call.own.array.max(axis=(axis := call.attributes.get("dim", -1)), keepdims=True)
    p = numpy.exp(shifted) / numpy.exp(shifted).sum(axis=axis, keepdims=True)
    value = call.delta - p * call.delta.sum(axis=axis, keepdims=True)
    call.scale = float(numpy.abs(call.delta).sum())
    return f"{DELTA} - softmax({call.own.label}) Σ{DELTA}", value


def _squared_error(call: _Call) -> Form | None:
    own, other = call.own, call.other()
    if own is None or own.factor is None or other.factor is None:
        return None
    count = own.array.size if call.delta.shape == () and call.attributes.get("reduction", 1) == 1 else 1
    text = call.times(f"2 ({own.label} - {other.label})" + (f" / {count}" if count > 1 else ""))
    return text, call.delta * 2 * (own.array - other.array) / count


def _logits(call: _Call) -> Form | None:
    """∂ of a cross-entropy of logits: `sigmoid(z) - t`."""
    logits, target = call.other(0), call.other(1)
    if logits.label is None or target.factor is None or call.position:
        return None
    count = logits.array.size if call.delta.shape == () and call.attributes.get("reduction", 1) == 1 else 1
    inner = f"sigmoid({logits.label}) - {target.factor}"
    text = call.times(inner if count == 1 else f"({inner}) / {count}")
    return text, call.delta * (1 / (1 + numpy.exp(-logits.array)) - target.array) / count


def _layer_norm(call: _Call) -> Form | None:
    """∂ of the input, of the weight and of the bias, with n for the normalised input."""
    x, label = call.other(0).array, call.other(0).label
    weight = call.operands[1].array if 1 in call.operands else numpy.array(1.0)
    size = x.shape[-1]
    deviation = numpy.sqrt(((x - x.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) + 1e-5)
    hat = (x - x.mean(-1, keepdims=True)) / deviation
    rows = call.delta.reshape(-1, size)
    if call.position == 2:
        return DELTA if call.delta.ndim == 1 else f"Σ {DELTA}", rows.sum(axis=0)
    if call.position == 1:
        text = f"{DELTA} ⊙ n" if call.delta.ndim == 1 else f"Σ {DELTA} ⊙ n"
        value = (call.delta * hat).reshape(-1, size).sum(axis=0)
        return (None if label is None else text + _normalised(label)), value
    g = call.delta * weight
    call.scale = float(numpy.abs(g / deviation).max(initial=0.0))
    value = (g - g.mean(-1, keepdims=True) - hat * (g * hat).mean(-1, keepdims=True)) / deviation
    scale = DELTA
    if 1 in call.operands:
        if call.operands[1].factor is None:
            return None
        scale = f"{DELTA} ⊙ {call.operands[1].factor}"
    if label is None:
        return None
    return f"(g - mean(g) - n ⊙ mean(g ⊙ n)) / std({label}), g = {scale}{_normalised(label)}", value


def _normalised(label: str) -> str:
    return f", n = ({label} - mean({label})) / std({label})"


_PLUS, _MINUS, _SUM, _MEAN = _scaled(1.0), _scaled(-1.0), _spread(divides=False), _spread(divides=True)

_RULES: dict[str, tuple[_Rule, ...]] = {
    "add": (_PLUS,),
    "sub": (_PLUS, _MINUS),
    "rsub": (_MINUS, _PLUS),
    "rsub.Scalar": (_MINUS,),
    "neg": (_reversed,),
    "mul": (_product,),
    "div": (_quotient,),
    "pow.Tensor_Scalar": (_power,),
    "exp": (_by_result(lambda y: y, lambda y: y),),
    "sigmoid": (_by_result(lambda y: f"{y} ⊙ (1 - {y})", lambda y: y * (1 - y)),),
    "tanh": (_by_result(lambda y: f"1 - {y}²", lambda y: 1 - y**2),),
    "sqrt": (_square_root,),
    "sin": (_by_input(lambda x: f"cos({x})", numpy.cos),),
    "cos": (_by_input(lambda x: f"(-sin({x}))", lambda x: -numpy.sin(x)),),
    "log": (_log,),
    "relu": (_relu,),
    "mm": (_first_factor, _second_factor),
    "bmm": (_first_factor, _second_factor),
    "mv": (_matrix_of_vector, _vector),
    "dot": (_of_scalar_product,),
    "addmm": (_PLUS, _first_factor, _second_factor),
    "addmv": (_PLUS, _matrix_of_vector, _vector),
    "sum": (_SUM,),
    "sum.dim_IntList": (_SUM,),
    "mean": (_MEAN,),
    "mean.dim": (_MEAN,),
    "t": (_transpose,),
    "transpose": (_transpose,),
    "permute": (_transpose,),
    "softmax": (_softmax,),
    "log_softmax": (_log_softmax,),
    "mse_loss": (_squared_error,),
    "binary_cross_entropy_with_logits": (_logits,),
    "native_layer_norm": (_layer_norm,),
}
"""A rule for each operand of an op; the last one for all that follow."""
