"""Table of torch's elementary backward functions: the forward of each, and its derivative by each input.

An expression is Python text over the names in `functions.NUMERIC`, the inputs, the attributes saved by the Node
(or their defaults) and `result`, the output of the function. The same text is evaluated with numbers, becomes the
symbol on an edge when evaluated with sympy symbols, and is compared with torch's gradients in the tests.
Derivatives are written out instead of computed by sympy because `s(1 - s)` is the form that textbooks use for a
sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inspector.graph.row_types import FunctionRow


@dataclass(frozen=True)
class Elementary:
    """One elementary function.

    derivatives: by input, in the order of the slots of `next_functions` (that of torch's derivatives.yaml).
    missing: how an input that the Node did not save follows from its output and the other input.
    requires: attributes that must have these values for the formulas to hold.
    """

    expression: str
    derivatives: dict[str, str]
    defaults: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    requires: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reduction:
    """A function that makes one number of a tensor: a term of each element, their total, and what is made of it.

    finish: an expression over `total` and `n`, the number of elements. derivatives: by each element of an input.
    """

    term: str
    finish: str
    derivatives: dict[str, str]
    requires: dict[str, Any] = field(default_factory=dict)


def _unary(expression: str, derivative: str, **defaults: float) -> Elementary:
    return Elementary(expression, {"self": derivative}, defaults)


_HAND_ON = Elementary("self", {"self": "1"})
_HARD_TANH = "Heaviside(self - min_val)*Heaviside(max_val - self)"
_ELU = "scale*(relu(self) + Min(alpha*(exp(input_scale*self) - 1), 0))"
_ELU_SLOPE = "scale*(Heaviside(self) + Heaviside(-self)*alpha*input_scale*exp(input_scale*self))"

ELEMENTARY: dict[str, Elementary] = {
    "AddBackward0": Elementary(
        "self + alpha*other",
        {"self": "1", "other": "alpha"},
        {"alpha": 1},
        {"other": "(result - self)/alpha", "self": "result - alpha*other"},
    ),
    "SubBackward0": Elementary(
        "self - alpha*other",
        {"self": "1", "other": "-alpha"},
        {"alpha": 1},
        {"other": "(self - result)/alpha", "self": "result + alpha*other"},
    ),
    "RsubBackward0": Elementary(
        "other - alpha*self",
        {"self": "-alpha", "other": "1"},
        {"alpha": 1},
        {"other": "result + alpha*self", "self": "(other - result)/alpha"},
    ),
    "RsubBackward1": Elementary(
        "other - alpha*self", {"self": "-alpha"}, {"alpha": 1}, {"other": "result + alpha*self"}
    ),
    "MulBackward0": Elementary(
        "self*other",
        {"self": "other", "other": "self"},
        missing={"other": "result/self", "self": "result/other"},
    ),
    "DivBackward0": Elementary(
        "self/other",
        {"self": "1/other", "other": "-self/other**2"},
        missing={"other": "self/result", "self": "result*other"},
    ),
    "PowBackward0": Elementary("self**exponent", {"self": "exponent*self**(exponent - 1)"}),
    "PowBackward1": Elementary(
        "self**exponent", {"self": "exponent*self**(exponent - 1)", "exponent": "self**exponent*log(self)"}
    ),
    "PowBackward2": Elementary("self**exponent", {"exponent": "self**exponent*log(self)"}),
    "NegBackward0": _unary("-self", "-1"),
    "ReciprocalBackward0": _unary("1/self", "-1/self**2"),
    "SqrtBackward0": _unary("sqrt(self)", "1/(2*sqrt(self))"),
    "RsqrtBackward0": _unary("1/sqrt(self)", "-1/(2*self*sqrt(self))"),
    "ExpBackward0": _unary("exp(self)", "exp(self)"),
    "Exp2Backward0": _unary("2**self", "2**self*log(2)"),
    "Expm1Backward0": _unary("exp(self) - 1", "exp(self)"),
    "LogBackward0": _unary("log(self)", "1/self"),
    "Log1PBackward0": _unary("log(1 + self)", "1/(1 + self)"),
    "Log2Backward0": _unary("log(self)/log(2)", "1/(self*log(2))"),
    "Log10Backward0": _unary("log(self)/log(10)", "1/(self*log(10))"),
    "SinBackward0": _unary("sin(self)", "cos(self)"),
    "CosBackward0": _unary("cos(self)", "-sin(self)"),
    "TanBackward0": _unary("tan(self)", "1 + tan(self)**2"),
    "AsinBackward0": _unary("asin(self)", "1/sqrt(1 - self**2)"),
    "AcosBackward0": _unary("acos(self)", "-1/sqrt(1 - self**2)"),
    "AtanBackward0": _unary("atan(self)", "1/(1 + self**2)"),
    "Atan2Backward0": Elementary(
        "atan2(self, other)",
        {"self": "other/(self**2 + other**2)", "other": "-self/(self**2 + other**2)"},
    ),
    "SinhBackward0": _unary("sinh(self)", "cosh(self)"),
    "CoshBackward0": _unary("cosh(self)", "sinh(self)"),
    "TanhBackward0": _unary("tanh(self)", "1 - tanh(self)**2"),
    "AsinhBackward0": _unary("asinh(self)", "1/sqrt(1 + self**2)"),
    "AcoshBackward0": _unary("acosh(self)", "1/sqrt(self**2 - 1)"),
    "AtanhBackward0": _unary("atanh(self)", "1/(1 - self**2)"),
    "ErfBackward0": _unary("erf(self)", "2*exp(-self**2)/sqrt(pi)"),
    "ErfcBackward0": _unary("erfc(self)", "-2*exp(-self**2)/sqrt(pi)"),
    "SigmoidBackward0": _unary("sigmoid(self)", "sigmoid(self)*(1 - sigmoid(self))"),
    "LogSigmoidBackward0": _unary("log(sigmoid(self))", "1 - sigmoid(self)"),
    "LogitBackward0": _unary("log(self/(1 - self))", "1/(self*(1 - self))"),
    "SoftplusBackward0": _unary("softplus(beta*self)/beta", "sigmoid(beta*self)", beta=1),
    "SiluBackward0": _unary("self*sigmoid(self)", "sigmoid(self)*(1 + self*(1 - sigmoid(self)))"),
    "GeluBackward0": Elementary(
        "self*(1 + erf(self/sqrt(2)))/2",
        {"self": "(1 + erf(self/sqrt(2)))/2 + self*exp(-self**2/2)/sqrt(2*pi)"},
        requires={"approximate": "none"},
    ),
    "ReluBackward0": _unary("relu(self)", "Heaviside(self)"),
    "LeakyReluBackward0": _unary(
        "relu(self) - negative_slope*relu(-self)", "Heaviside(self) + negative_slope*(1 - Heaviside(self))"
    ),
    "EluBackward0": _unary(_ELU, _ELU_SLOPE),
    "CeluBackward0": _unary(
        "relu(self) + Min(alpha*(exp(self/alpha) - 1), 0)", "Heaviside(self) + Heaviside(-self)*exp(self/alpha)"
    ),
    "HardtanhBackward0": _unary("Min(Max(self, min_val), max_val)", _HARD_TANH),
    "HardsigmoidBackward0": _unary(
        "Min(Max((self + 3)/6, 0), 1)", "Heaviside(self + 3)*Heaviside(3 - self)/6"
    ),
    "AbsBackward0": _unary("Abs(self)", "sign(self)"),
    "MaximumBackward0": Elementary(
        "Max(self, other)", {"self": "Heaviside(self - other)", "other": "Heaviside(other - self)"}
    ),
    "MinimumBackward0": Elementary(
        "Min(self, other)", {"self": "Heaviside(other - self)", "other": "Heaviside(self - other)"}
    ),
    "FmaxBackward0": Elementary(
        "Max(self, other)", {"self": "Heaviside(self - other)", "other": "Heaviside(other - self)"}
    ),
    "FminBackward0": Elementary(
        "Min(self, other)", {"self": "Heaviside(other - self)", "other": "Heaviside(self - other)"}
    ),
    "HypotBackward0": Elementary(
        "sqrt(self**2 + other**2)",
        {"self": "self/sqrt(self**2 + other**2)", "other": "other/sqrt(self**2 + other**2)"},
    ),
    "LogaddexpBackward0": Elementary(
        "log(exp(self) + exp(other))", {"self": "sigmoid(self - other)", "other": "sigmoid(other - self)"}
    ),
    "XlogyBackward0": Elementary("self*log(other)", {"self": "log(other)", "other": "self/other"}),
    "LerpBackward0": Elementary(
        "self + weight*(end - self)", {"self": "1 - weight", "end": "weight"},
        missing={"end": "self + (result - self)/weight", "self": "(result - weight*end)/(1 - weight)"},
    ),
    "AddcmulBackward0": Elementary(
        "self + value*tensor1*tensor2",
        {"self": "1", "tensor1": "value*tensor2", "tensor2": "value*tensor1"},
        missing={"self": "result - value*tensor1*tensor2"},
    ),
    "AddcdivBackward0": Elementary(
        "self + value*tensor1/tensor2",
        {"self": "1", "tensor1": "value/tensor2", "tensor2": "-value*tensor1/tensor2**2"},
        missing={"self": "result - value*tensor1/tensor2"},
    ),
    "WhereBackward0": Elementary(
        "condition*self + (1 - condition)*other",
        {"self": "condition", "other": "1 - condition"},
        missing={"other": "result", "self": "result"},
    ),
    "BinaryCrossEntropyBackward0": Elementary(
        "-target*log(self) - (1 - target)*log(1 - self)",
        {"self": "(1 - target)/(1 - self) - target/self", "target": "log(1 - self) - log(self)"},
        requires={"weight": None},
    ),
    "BinaryCrossEntropyWithLogitsBackward0": Elementary(
        "softplus(self) - target*self",
        {"self": "sigmoid(self) - target", "target": "-self"},
        requires={"weight": None, "pos_weight": None},
    ),
    "CloneBackward0": _HAND_ON,
    "AliasBackward0": _HAND_ON,
    "ToCopyBackward0": _HAND_ON,
    "LiftFreshBackward0": _HAND_ON,
}
"""By the class name of the backward function. Where a derivative has a kink torch may choose another side (the tie
of a max gives each input half): a symbol that disagrees with the measured gradient is not used."""

CLAMPS: dict[tuple[bool, bool], Elementary] = {
    (True, True): _unary("Min(Max(self, min), max)", "Heaviside(self - min)*Heaviside(max - self)"),
    (True, False): _unary("Max(self, min)", "Heaviside(self - min)"),
    (False, True): _unary("Min(self, max)", "Heaviside(max - self)"),
}
"""clamp, by whether it has a lower and an upper bound."""

_CLAMP_NAMES = ("ClampBackward0", "ClampBackward1")

REDUCTIONS: dict[str, Reduction] = {
    "SumBackward0": Reduction("self", "total", {"self": "1"}),
    "SumBackward1": Reduction("self", "total", {"self": "1"}),
    "MeanBackward0": Reduction("self", "total/n", {"self": "1/n"}),
    "MeanBackward1": Reduction("self", "total/n", {"self": "1/n"}),
    "DotBackward0": Reduction("self*tensor", "total", {"self": "tensor", "tensor": "self"}),
    "LinalgVectorNormBackward0": Reduction(
        "self**2", "sqrt(total)", {"self": "self/result"}, requires={"ord": 2, "dim": None}
    ),
    "LogsumexpBackward0": Reduction("exp(self)", "log(total)", {"self": "exp(self - result)"}),
    "MseLossBackward0": Reduction(
        "(self - target)**2",
        "total/n",
        {"self": "2*(self - target)/n", "target": "2*(target - self)/n"},
        requires={"reduction": 1},
    ),
}
"""Functions from a small tensor (or a number) to one number."""


def find_elementary(function: FunctionRow) -> Elementary | None:
    """The entry for a function of the graph that is applied to each element; None where there is none."""
    name, attributes = function["name"], function["attributes"]
    if name in _CLAMP_NAMES:
        return CLAMPS.get((_is_number(attributes.get("min")), _is_number(attributes.get("max"))))
    entry = ELEMENTARY.get(name)
    return entry if entry is not None and _holds(entry.requires, attributes) else None


def find_reduction(function: FunctionRow) -> Reduction | None:
    """The entry for a function of the graph that makes one number of a tensor; None where there is none."""
    entry = REDUCTIONS.get(function["name"])
    return entry if entry is not None and _holds(entry.requires, function["attributes"]) else None


def _holds(required: dict[str, Any], attributes: dict[str, Any]) -> bool:
    return all(attributes.get(name) == value for name, value in required.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
