"""Table of torch's elementary backward functions: the forward of each, and its derivatives.

An expression is Python text over the names in `numeric_functions.NUMERIC`, the inputs, the attributes saved by the
Node (or their defaults) and `result`, the output of the function. The same text is evaluated with numbers, becomes
the symbol on an edge when evaluated with sympy symbols, and is compared with torch's gradients in the tests.
Derivatives are written out instead of computed by sympy because `s(1 - s)` is the form that textbooks use for a
sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow


@dataclass(frozen=True)
class Elementary:
    """One elementary function.

    derivatives: by input, in the order of the slots of `next_functions` (that of torch's derivatives.yaml).
    missing: formulas that compute an input the Node did not save from its output and the other inputs.
    requires: attributes that must have these values for the formulas to hold.
    """

    expression: str
    derivatives: dict[str, str]
    defaults: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    requires: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reduction:
    """A function that reduces a tensor to one number: the sum of a term of each element, then a final expression.

    finish: the final expression, over `total` and `n`, the number of elements. derivatives: with respect to each
    element of an input.
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
    "gelu": Elementary(
        "self*(1 + erf(self/sqrt(2)))/2",
        {"self": "(1 + erf(self/sqrt(2)))/2 + self*exp(-self**2/2)/sqrt(2*pi)"},
        requires={"approximate": "none"},
    ),
    "relu": _unary("relu(self)", "Heaviside(self)"),
    "leaky_relu": _unary(
        "relu(self) - negative_slope*relu(-self)", "Heaviside(self) + negative_slope*(1 - Heaviside(self))"
    ),
    "elu": _unary(_ELU, _ELU_SLOPE),
    "celu": _unary(
        "relu(self) + Min(alpha*(exp(self/alpha) - 1), 0)", "Heaviside(self) + Heaviside(-self)*exp(self/alpha)"
    ),
    "hardtanh": _unary("Min(Max(self, min_val), max_val)", _HARD_TANH),
    "hardsigmoid": _unary("Min(Max((self + 3)/6, 0), 1)", "Heaviside(self + 3)*Heaviside(3 - self)/6"),
    "abs": _unary("Abs(self)", "sign(self)"),
    "maximum": Elementary(
        "Max(self, other)", {"self": "Heaviside(self - other)", "other": "Heaviside(other - self)"}
    ),
    "minimum": Elementary(
        "Min(self, other)", {"self": "Heaviside(other - self)", "other": "Heaviside(self - other)"}
    ),
    "fmax": Elementary(
        "Max(self, other)", {"self": "Heaviside(self - other)", "other": "Heaviside(other - self)"}
    ),
    "fmin": Elementary(
        "Min(self, other)", {"self": "Heaviside(other - self)", "other": "Heaviside(self - other)"}
    ),
    "hypot": Elementary(
        "sqrt(self**2 + other**2)",
        {"self": "self/sqrt(self**2 + other**2)", "other": "other/sqrt(self**2 + other**2)"},
    ),
    "logaddexp": Elementary(
        "log(exp(self) + exp(other))", {"self": "sigmoid(self - other)", "other": "sigmoid(other - self)"}
    ),
    "xlogy": Elementary("self*log(other)", {"self": "log(other)", "other": "self/other"}),
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
    "binary_cross_entropy": Elementary(
        "-target*log(self) - (1 - target)*log(1 - self)",
        {"self": "(1 - target)/(1 - self) - target/self", "target": "log(1 - self) - log(self)"},
        requires={"weight": None},
    ),
    "binary_cross_entropy_with_logits": Elementary(
        "softplus(self) - target*self",
        {"self": "sigmoid(self) - target", "target": "-self"},
        requires={"weight": None, "pos_weight": None},
    ),
    "clone": _HAND_ON,
    "alias": _HAND_ON,
    "to_copy": _HAND_ON,
    "lift_fresh": _HAND_ON,
}
"""Elementary functions by op. At a kink torch may use another subgradient (at a tie of a max, half for each
input); a symbol that disagrees with the measured gradient is not used."""

CLAMPS: dict[tuple[bool, bool], Elementary] = {
    (True, True): _unary("Min(Max(self, min), max)", "Heaviside(self - min)*Heaviside(max - self)"),
    (True, False): _unary("Max(self, min)", "Heaviside(self - min)"),
    (False, True): _unary("Min(self, max)", "Heaviside(max - self)"),
}
"""clamp, by (has a lower bound, has an upper bound)."""

REDUCTIONS: dict[str, Reduction] = {
    "sum": Reduction("self", "total", {"self": "1"}),
    "sum.dim_IntList": Reduction("self", "total", {"self": "1"}),
    "mean": Reduction("self", "total/n", {"self": "1/n"}),
    "mean.dim": Reduction("self", "total/n", {"self": "1/n"}),
    "dot": Reduction("self*tensor", "total", {"self": "tensor", "tensor": "self"}),
    "linalg_vector_norm": Reduction(
        "self**2", "sqrt(total)", {"self": "self/result"}, requires={"ord": 2, "dim": None}
    ),
    "logsumexp": Reduction("exp(self)", "log(total)", {"self": "exp(self - result)"}),
    "mse_loss": Reduction(
        "(self - target)**2",
        "total/n",
        {"self": "2*(self - target)/n", "target": "2*(target - self)/n"},
        requires={"reduction": 1},
    ),
}
"""Functions from a small tensor (or a number) to one number, by op."""


def find_elementary(function: FunctionRow) -> Elementary | None:
    """The entry for an elementwise function of the graph; None if there is none."""
    op, attributes = op_of(function["name"]), function["attributes"]
    if op == "clamp":
        return CLAMPS.get((_is_number(attributes.get("min")), _is_number(attributes.get("max"))))
    entry = ELEMENTARY.get(op)
    return entry if entry is not None and _holds(entry.requires, attributes) else None


def find_reduction(function: FunctionRow) -> Reduction | None:
    """The entry for a reduction of the graph to one number; None if there is none."""
    entry = REDUCTIONS.get(op_of(function["name"]))
    return entry if entry is not None and _holds(entry.requires, function["attributes"]) else None


def _holds(required: dict[str, Any], attributes: dict[str, Any]) -> bool:
    return all(attributes.get(name) == value for name, value in required.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
