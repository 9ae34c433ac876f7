"""Table of torch's elementary backward functions: the forward of each, and its derivatives.

An expression is Python text over the names in `numeric_functions.NUMERIC`, the inputs, the attributes saved by the
Node (or their defaults) and `result`, the output of the function. The same text is evaluated with numbers, becomes
the symbol on an edge when evaluated with sympy symbols, and is compared with torch's gradients in the tests.
Derivatives are written out instead of computed by sympy because `s(1 - s)` is the form that textbooks use for a
sigmoid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow
from inspector.graph.values import Value, is_number


class Elementary(Struct, frozen=True):
    """One elementary function.

    derivatives: by input, in the order of the slots of `next_functions` (that of torch's derivatives.yaml).
    missing: formulas that compute an input the Node did not save from its output and the other inputs.
    requires: attributes that must have these values for the formulas to hold.
    kink: an expression that is zero where torch uses the derivatives in `at_kink` instead: a half at a tie.
    """

    expression: str
    derivatives: dict[str, str]
    defaults: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    requires: dict[str, Any] = field(default_factory=dict)
    kink: str = ""
    at_kink: dict[str, str] = field(default_factory=dict)


class Reduction(Struct, frozen=True):
    """A function that reduces a tensor to one number: the terms of its elements combined, then a final expression.

    finish: the final expression, over `total` and `n`, the number of elements. derivatives: with respect to each
    element of an input; `ties` is the number of elements that equal the result. combine: how terms make a total.
    """

    term: str
    finish: str
    derivatives: dict[str, str]
    requires: dict[str, Any] = field(default_factory=dict)
    combine: Callable[[list[float]], float] = math.fsum


def _unary(expression: str, derivative: str, **defaults: float) -> Elementary:
    return Elementary(expression, {"self": derivative}, defaults)


def _step(expression: str, *inputs: str) -> Elementary:
    """A function that is flat almost everywhere."""
    return Elementary(expression, dict.fromkeys(inputs or ("self",), "0"))


def _extreme(expression: str, greater: str, *, halves: bool = True) -> Elementary:
    """The larger or smaller of two. greater: what is positive where `self` is chosen."""
    less = " - ".join(reversed(greater.split(" - ")))
    slopes = {"self": f"Heaviside({greater})", "other": f"Heaviside({less})"}
    at_tie = dict.fromkeys(slopes, "1/2") if halves else {"self": "1", "other": "0"}
    return Elementary(expression, slopes, kink="self - other", at_kink=at_tie)


_HAND_ON = Elementary("self", {"self": "1"})
_TANH_GELU = "tanh(sqrt(2/pi)*(self + 0.044715*self**3))"
_TANH_GELU_SLOPE = f"(1 - {_TANH_GELU}**2)*sqrt(2/pi)*(1 + 0.134145*self**2)"
_HARD_TANH = "Heaviside(self - min_val)*Heaviside(max_val - self)"
_ELU = "scale*(relu(self) + Min(alpha*(exp(input_scale*self) - 1), 0))"
_ELU_SLOPE = "scale*(Heaviside(self) + Heaviside(-self)*alpha*input_scale*exp(input_scale*self))"

ELEMENTARY: dict[str, Elementary] = {
    "add": Elementary(
        "self + alpha*other",
        {"self": "1", "other": "alpha"},
        {"alpha": 1},
        {"other": "(result - self)/alpha", "self": "result - alpha*other"},
    ),
    "sub": Elementary(
        "self - alpha*other",
        {"self": "1", "other": "-alpha"},
        {"alpha": 1},
        {"other": "(self - result)/alpha", "self": "result + alpha*other"},
    ),
    "rsub": Elementary(
        "other - alpha*self",
        {"self": "-alpha", "other": "1"},
        {"alpha": 1},
        {"other": "result + alpha*self", "self": "(other - result)/alpha"},
    ),
    "rsub.Scalar": Elementary(
        "other - alpha*self", {"self": "-alpha"}, {"alpha": 1}, {"other": "result + alpha*self"}
    ),
    "mul": Elementary(
        "self*other",
        {"self": "other", "other": "self"},
        missing={"other": "result/self", "self": "result/other"},
    ),
    "div": Elementary(
        "self/other",
        {"self": "1/other", "other": "-self/other**2"},
        missing={"other": "self/result", "self": "result*other"},
    ),
    "add.Scalar": Elementary(
        "self + alpha*other", {"self": "1"}, {"alpha": 1}, {"other": "(result - self)/alpha"}
    ),
    "sub.Scalar": Elementary(
        "self - alpha*other", {"self": "1"}, {"alpha": 1}, {"other": "(self - result)/alpha"}
    ),
    "mul.Scalar": Elementary("self*other", {"self": "other"}),
    "div.Scalar": Elementary("self/other", {"self": "1/other"}),
    "pow.Tensor_Scalar": Elementary("self**exponent", {"self": "exponent*self**(exponent - 1)"}),
    "pow.Tensor_Tensor": Elementary(
        "self**exponent", {"self": "exponent*self**(exponent - 1)", "exponent": "self**exponent*log(self)"}
    ),
    "pow.Scalar": Elementary("self**exponent", {"exponent": "self**exponent*log(self)"}),
    "neg": _unary("-self", "-1"),
    "reciprocal": _unary("1/self", "-1/self**2"),
    "sqrt": _unary("sqrt(self)", "1/(2*sqrt(self))"),
    "rsqrt": _unary("1/sqrt(self)", "-1/(2*self*sqrt(self))"),
    "exp": _unary("exp(self)", "exp(self)"),
    "exp2": _unary("2**self", "2**self*log(2)"),
    "expm1": _unary("exp(self) - 1", "exp(self)"),
    "log": _unary("log(self)", "1/self"),
    "log1p": _unary("log(1 + self)", "1/(1 + self)"),
    "log2": _unary("log(self)/log(2)", "1/(self*log(2))"),
    "log10": _unary("log(self)/log(10)", "1/(self*log(10))"),
    "sin": _unary("sin(self)", "cos(self)"),
    "cos": _unary("cos(self)", "-sin(self)"),
    "tan": _unary("tan(self)", "1 + tan(self)**2"),
    "asin": _unary("asin(self)", "1/sqrt(1 - self**2)"),
    "acos": _unary("acos(self)", "-1/sqrt(1 - self**2)"),
    "atan": _unary("atan(self)", "1/(1 + self**2)"),
    "atan2": Elementary(
        "atan2(self, other)",
        {"self": "other/(self**2 + other**2)", "other": "-self/(self**2 + other**2)"},
    ),
    "sinh": _unary("sinh(self)", "cosh(self)"),
    "cosh": _unary("cosh(self)", "sinh(self)"),
    "tanh": _unary("tanh(self)", "1 - tanh(self)**2"),
    "asinh": _unary("asinh(self)", "1/sqrt(1 + self**2)"),
    "acosh": _unary("acosh(self)", "1/sqrt(self**2 - 1)"),
    "atanh": _unary("atanh(self)", "1/(1 - self**2)"),
    "erf": _unary("erf(self)", "2*exp(-self**2)/sqrt(pi)"),
    "erfc": _unary("erfc(self)", "-2*exp(-self**2)/sqrt(pi)"),
    "sigmoid": _unary("sigmoid(self)", "sigmoid(self)*(1 - sigmoid(self))"),
    "log_sigmoid": _unary("log(sigmoid(self))", "1 - sigmoid(self)"),
    "logit": _unary("log(self/(1 - self))", "1/(self*(1 - self))"),
    "softplus": _unary("softplus(beta*self)/beta", "sigmoid(beta*self)", beta=1),
    "silu": _unary("self*sigmoid(self)", "sigmoid(self)*(1 + self*(1 - sigmoid(self)))"),
    "relu": _unary("relu(self)", "Heaviside(self)"),
    "leaky_relu": _unary(
        "relu(self) - negative_slope*relu(-self)", "Heaviside(self) + negative_slope*(1 - Heaviside(self))"
    ),
    "prelu_kernel": Elementary(
        "relu(self) - weight*relu(-self)",
        {"self": "Heaviside(self) + weight*(1 - Heaviside(self))", "weight": "self*(1 - Heaviside(self))"},
    ),
    "elu": Elementary(
        _ELU, {"self": _ELU_SLOPE}, kink="self", at_kink={"self": "scale*alpha*input_scale"}
    ),
    "celu": Elementary(
        "relu(self) + Min(alpha*(exp(self/alpha) - 1), 0)",
        {"self": "Heaviside(self) + Heaviside(-self)*exp(self/alpha)"},
        kink="self",
        at_kink={"self": "1"},
    ),
    "hardtanh": _unary("Min(Max(self, min_val), max_val)", _HARD_TANH),
    "hardsigmoid": _unary("Min(Max((self + 3)/6, 0), 1)", "Heaviside(self + 3)*Heaviside(3 - self)/6"),
    "hardswish": _unary(
        "self*Min(Max((self + 3)/6, 0), 1)",
        "Heaviside(self - 3) + Heaviside(self + 3)*Heaviside(3 - self)*(2*self + 3)/6",
    ),
    "hardshrink": _unary("self*Heaviside(Abs(self) - lambd)", "Heaviside(Abs(self) - lambd)"),
    "softshrink": _unary("sign(self)*relu(Abs(self) - lambd)", "Heaviside(Abs(self) - lambd)"),
    "threshold": _unary(
        "self*Heaviside(self - threshold) + value*(1 - Heaviside(self - threshold))", "Heaviside(self - threshold)"
    ),
    "mish": _unary(
        "self*tanh(softplus(self))",
        "tanh(softplus(self)) + self*sigmoid(self)*(1 - tanh(softplus(self))**2)",
    ),
    "abs": _unary("Abs(self)", "sign(self)"),
    "sign": _step("sign(self)"),
    "floor": _step("floor(self)"),
    "ceil": _step("ceiling(self)"),
    "trunc": _step("sign(self)*floor(Abs(self))"),
    "round": _step("floor(self + 1/2)"),
    "frac": _unary("self - sign(self)*floor(Abs(self))", "1"),
    "fmod": _unary("self - other*sign(self/other)*floor(Abs(self/other))", "1"),
    "fmod.Tensor": Elementary(
        "self - other*sign(self/other)*floor(Abs(self/other))",
        {"self": "1", "other": "-sign(self/other)*floor(Abs(self/other))"},
    ),
    "remainder": _unary("self - other*floor(self/other)", "1"),
    "remainder.Tensor": Elementary(
        "self - other*floor(self/other)", {"self": "1", "other": "-floor(self/other)"}
    ),
    "maximum": _extreme("Max(self, other)", "self - other"),
    "minimum": _extreme("Min(self, other)", "other - self"),
    "fmax": _extreme("Max(self, other)", "self - other", halves=False),
    "fmin": _extreme("Min(self, other)", "other - self", halves=False),
    "hypot": Elementary(
        "sqrt(self**2 + other**2)",
        {"self": "self/sqrt(self**2 + other**2)", "other": "other/sqrt(self**2 + other**2)"},
    ),
    "logaddexp": Elementary(
        "log(exp(self) + exp(other))", {"self": "sigmoid(self - other)", "other": "sigmoid(other - self)"}
    ),
    "logaddexp2": Elementary(
        "log(2**self + 2**other)/log(2)",
        {"self": "sigmoid((self - other)*log(2))", "other": "sigmoid((other - self)*log(2))"},
    ),
    "xlogy": Elementary("self*log(other)", {"self": "log(other)", "other": "self/other"}),
    "special_xlog1py": Elementary("self*log(1 + other)", {"self": "log(1 + other)", "other": "self/(1 + other)"}),
    "special_entr": _unary("-self*log(self)", "-1 - log(self)"),
    "special_erfcx": _unary("exp(self**2)*erfc(self)", "2*self*exp(self**2)*erfc(self) - 2/sqrt(pi)"),
    "special_log_ndtr": _unary(
        "log(erfc(-self/sqrt(2))/2)", "sqrt(2/pi)*exp(-self**2/2)/erfc(-self/sqrt(2))"
    ),
    "erfinv": _unary("erfinv(self)", "sqrt(pi)*exp(erfinv(self)**2)/2"),
    "special_ndtri": _unary("sqrt(2)*erfinv(2*self - 1)", "sqrt(2*pi)*exp(erfinv(2*self - 1)**2)"),
    "i0": _unary("besseli(0, self)", "besseli(1, self)"),
    "sinc": Elementary(
        "sin(pi*self)/(pi*self)",
        {"self": "cos(pi*self)/self - sin(pi*self)/(pi*self**2)"},
        kink="self",
        at_kink={"self": "0"},
    ),
    "ldexp": Elementary("self*2**other", {"self": "2**other", "other": "self*2**other*log(2)"}),
    "deg2rad": _unary("pi*self/180", "pi/180"),
    "rad2deg": _unary("180*self/pi", "180/pi"),
    "lerp": Elementary(
        "self + weight*(end - self)", {"self": "1 - weight", "end": "weight"},
        missing={"end": "self + (result - self)/weight", "self": "(result - weight*end)/(1 - weight)"},
    ),
    "addcmul": Elementary(
        "self + value*tensor1*tensor2",
        {"self": "1", "tensor1": "value*tensor2", "tensor2": "value*tensor1"},
        missing={"self": "result - value*tensor1*tensor2"},
    ),
    "addcdiv": Elementary(
        "self + value*tensor1/tensor2",
        {"self": "1", "tensor1": "value/tensor2", "tensor2": "-value*tensor1/tensor2**2"},
        missing={"self": "result - value*tensor1/tensor2"},
    ),
    "where": Elementary(
        "condition*self + (1 - condition)*other",
        {"self": "condition", "other": "1 - condition"},
        missing={"other": "result", "self": "result"},
    ),
    "tanh_backward": Elementary(
        "grad_output*(1 - output**2)", {"grad_output": "1 - output**2", "output": "-2*grad_output*output"}
    ),
    "sigmoid_backward": Elementary(
        "grad_output*output*(1 - output)",
        {"grad_output": "output*(1 - output)", "output": "grad_output*(1 - 2*output)"},
    ),
    "clone": _HAND_ON,
    "alias": _HAND_ON,
    "to_copy": _HAND_ON,
    "lift_fresh": _HAND_ON,
}
"""Elementary functions by op. Where torch uses another subgradient, a symbol that disagrees with the measured
gradient is not used."""

VARIANTS: dict[str, tuple[Elementary, ...]] = {
    "gelu": (
        Elementary(
            "self*(1 + erf(self/sqrt(2)))/2",
            {"self": "(1 + erf(self/sqrt(2)))/2 + self*exp(-self**2/2)/sqrt(2*pi)"},
            requires={"approximate": "none"},
        ),
        Elementary(
            f"self*(1 + {_TANH_GELU})/2",
            {"self": f"(1 + {_TANH_GELU})/2 + self*{_TANH_GELU_SLOPE}/2"},
            requires={"approximate": "tanh"},
        ),
    ),
    "div.Tensor_mode": (
        Elementary("floor(self/other)", {"self": "0", "other": "0"}, requires={"rounding_mode": "floor"}),
        Elementary(
            "sign(self/other)*floor(Abs(self/other))",
            {"self": "0", "other": "0"},
            requires={"rounding_mode": "trunc"},
        ),
    ),
}
"""Elementary functions by op, of which the first holds whose attributes are right."""


def _clamp(expression: str, derivatives: dict[str, str], kink: str) -> Elementary:
    """A clamp; at a bound, torch hands the gradient on to what is clamped."""
    at_bound = {name: "1" if name == "self" else "0" for name in derivatives}
    return Elementary(expression, derivatives, kink=kink, at_kink=at_bound)


_AT_LEAST = _clamp(
    "Max(self, min)", {"self": "Heaviside(self - min)", "min": "Heaviside(min - self)"}, "self - min"
)
_AT_MOST = {"self": "Heaviside(max - self)", "max": "Heaviside(self - max)"}
CLAMPS: dict[tuple[str, bool, bool], Elementary] = {
    ("clamp_min", True, False): _AT_LEAST,
    ("clamp_max", False, True): _clamp("Min(self, max)", _AT_MOST, "self - max"),
    ("clamp", True, False): _AT_LEAST,
    ("clamp", False, True): _clamp(
        "Min(self, max)", {"self": _AT_MOST["self"], "min": "0", "max": _AT_MOST["max"]}, "self - max"
    ),
    ("clamp", True, True): _clamp(
        "Min(Max(self, min), max)",
        {
            "self": "Heaviside(self - min)*Heaviside(max - self)",
            "min": "Heaviside(min - self)",
            "max": "Heaviside(self - max)",
        },
        "(self - min)*(max - self)",
    ),
}
"""Clamps by (op, has a lower bound, has an upper bound)."""

_KEEPING = (
    "amax amin cummax cummin cumprod cumsum logcumsumexp max max.dim median median.dim min min.dim mode nanmean"
    " nanmedian nansum prod sort"
)
_KEEPS_A_NUMBER = frozenset(_KEEPING.split())
"""Ops whose result for a single number is this number."""

_CONSTANT_OF_A_NUMBER = {"softmax": _step("1"), "log_softmax": _step("0")}


class _Loss(Struct, frozen=True):
    """A loss: the term of each element, which torch adds up or averages, and its derivatives."""

    term: str
    derivatives: dict[str, str]
    requires: dict[str, Any] = field(default_factory=dict)


_ERROR = "Abs(self - target)"
LOSSES: dict[str, _Loss] = {
    "mse_loss": _Loss("(self - target)**2", {"self": "2*(self - target)", "target": "2*(target - self)"}),
    "huber_loss": _Loss(
        f"Min({_ERROR}, delta)*({_ERROR} - Min({_ERROR}, delta)/2)",
        {"self": "Min(Max(self - target, -delta), delta)", "target": "Min(Max(target - self, -delta), delta)"},
    ),
    "smooth_l1_loss": _Loss(
        f"Min({_ERROR}, beta)*({_ERROR} - Min({_ERROR}, beta)/2)/beta",
        {
            "self": "Min(Max(self - target, -beta), beta)/beta",
            "target": "Min(Max(target - self, -beta), beta)/beta",
        },
    ),
    "soft_margin_loss": _Loss("softplus(-target*self)", {"self": "-target*sigmoid(-target*self)"}),
    "binary_cross_entropy": _Loss(
        "-target*log(self) - (1 - target)*log(1 - self)",
        {"self": "(1 - target)/(1 - self) - target/self", "target": "log(1 - self) - log(self)"},
        {"weight": None},
    ),
    "binary_cross_entropy_with_logits": _Loss(
        "softplus(self) - target*self",
        {"self": "sigmoid(self) - target", "target": "-self"},
        {"weight": None, "pos_weight": None},
    ),
}
_NO_REDUCTION, _MEAN = 0, 1
"""torch's numbers of `reduction`; 2 is the sum."""

REDUCTIONS: dict[str, Reduction] = {
    "sum": Reduction("self", "total", {"self": "1"}),
    "sum.dim_IntList": Reduction("self", "total", {"self": "1"}),
    "mean": Reduction("self", "total/n", {"self": "1/n"}),
    "mean.dim": Reduction("self", "total/n", {"self": "1/n"}),
    "dot": Reduction("self*tensor", "total", {"self": "tensor", "tensor": "self"}),
    "dist": Reduction(
        "(self - other)**2",
        "sqrt(total)",
        {"self": "(self - other)/result", "other": "(other - self)/result"},
        requires={"p": 2},
    ),
    "linalg_vector_norm": Reduction(
        "self**2", "sqrt(total)", {"self": "self/result"}, requires={"ord": 2, "dim": None}
    ),
    "logsumexp": Reduction("exp(self)", "log(total)", {"self": "exp(self - result)"}),
    "prod": Reduction("self", "total", {"self": "result/self"}, combine=math.prod),
    **{op: Reduction("self", "total", {"self": "Eq(self, result)/ties"}, combine=max) for op in ("max", "amax")},
    **{op: Reduction("self", "total", {"self": "Eq(self, result)/ties"}, combine=min) for op in ("min", "amin")},
}
"""Functions from a small tensor (or a number) to one number, by op."""


def find_elementary(function: FunctionRow) -> Elementary | None:
    """The entry for an elementwise function of the graph; None if there is none."""
    op, attributes = op_of(function["name"]), function["attributes"]
    if op.startswith("clamp"):
        return CLAMPS.get((op.partition(".")[0], _has_bound(function, "min"), _has_bound(function, "max")))
    if op.startswith("masked_fill") and (mask := _mask_of_a_number(function)) is not None:
        return _filled(function["before"]["data"]) if mask else _HAND_ON
    if op in LOSSES and attributes.get("reduction", _NO_REDUCTION) == _NO_REDUCTION:
        loss = LOSSES[op]
        return Elementary(loss.term, loss.derivatives) if _holds(loss.requires, attributes) else None
    if op in _CONSTANT_OF_A_NUMBER and is_number(function["before"]["data"]):
        return _CONSTANT_OF_A_NUMBER[op]
    choices = VARIANTS.get(op) or filter(None, [ELEMENTARY.get(op)])
    return next((entry for entry in choices if _holds(entry.requires, attributes)), None)


def find_reduction(function: FunctionRow) -> Reduction | None:
    """The entry for a reduction of the graph to one number; None if there is none."""
    op, attributes = op_of(function["name"]), function["attributes"]
    if op in LOSSES and attributes.get("reduction", _NO_REDUCTION) != _NO_REDUCTION:
        return _reduced_loss(op, attributes["reduction"]) if _holds(LOSSES[op].requires, attributes) else None
    entry = REDUCTIONS.get(op)
    return entry if entry is not None and _holds(entry.requires, attributes) else None


@functools.cache
def _reduced_loss(op: str, reduction: int) -> Reduction:
    loss = LOSSES[op]
    if reduction != _MEAN:
        return Reduction(loss.term, "total", loss.derivatives)
    return Reduction(loss.term, "total/n", {name: f"({text})/n" for name, text in loss.derivatives.items()})


def _holds(required: dict[str, Any], attributes: dict[str, Any]) -> bool:
    return all(attributes.get(name) == value for name, value in required.items())


def _mask_of_a_number(function: FunctionRow) -> bool | None:
    """The mask of a function that fills a number: False, as in the derivative of a norm that is not zero, or True;
    None if it masks more than a number, or is not known."""
    masks = (item["value"] for item in function.get("constants", ()) if item["position"] == 1)
    return next((mask for mask in masks if isinstance(mask, bool)), None)


def _filled(value: Value) -> Elementary | None:
    """What a filled number is: the same whatever it was before; None if it is not a finite number."""
    return _step(repr(value)) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _has_bound(function: FunctionRow, name: str) -> bool:
    """Whether a clamp has a bound: a number, or a tensor that it saved."""
    return is_number(function["attributes"].get(name)) or any(
        saved["name"] == name and saved["tensor"] is not None for saved in function["saved"]
    )


def keeps_elements(function: FunctionRow, shape: tuple[int, ...] | None) -> bool:
    """Whether the elements of an input of this shape are those of the output: a reshape, a sum of one number."""
    return is_kind(function["name"], NodeKind.RESHAPES) or (
        shape == () and op_of(function["name"]) in _KEEPS_A_NUMBER
    )
