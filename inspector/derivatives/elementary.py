"""The forward of torch's elementary backward functions, as sympy reads it.

`inputs` are the differentiable inputs in the order of the slots of `next_functions` (the order of torch's
`derivatives.yaml`); other names in the expression are attributes that the function saved, or their defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Elementary:
    """One elementary function: its expression, its inputs by slot, and what unsaved attributes are."""

    expression: str
    inputs: tuple[str, ...] = ("self",)
    defaults: dict[str, float] = field(default_factory=dict)


OPERANDS = ("self", "other", "exponent", "alpha", "beta")
"""Every name that may stand in an expression."""

_BOTH = ("self", "other")

ELEMENTARY: dict[str, Elementary] = {
    "AddBackward0": Elementary("self + alpha*other", _BOTH, {"alpha": 1}),
    "SubBackward0": Elementary("self - alpha*other", _BOTH, {"alpha": 1}),
    "RsubBackward0": Elementary("other - alpha*self", _BOTH, {"alpha": 1}),
    "RsubBackward1": Elementary("other - alpha*self", defaults={"alpha": 1}),
    "MulBackward0": Elementary("self*other", _BOTH),
    "DivBackward0": Elementary("self/other", _BOTH),
    "PowBackward0": Elementary("self**exponent"),
    "PowBackward1": Elementary("self**exponent", ("self", "exponent")),
    "PowBackward2": Elementary("self**exponent", ("exponent",)),
    "NegBackward0": Elementary("-self"),
    "ReciprocalBackward0": Elementary("1/self"),
    "SqrtBackward0": Elementary("sqrt(self)"),
    "RsqrtBackward0": Elementary("1/sqrt(self)"),
    "ExpBackward0": Elementary("exp(self)"),
    "Exp2Backward0": Elementary("2**self"),
    "Expm1Backward0": Elementary("exp(self) - 1"),
    "LogBackward0": Elementary("log(self)"),
    "Log1PBackward0": Elementary("log(1 + self)"),
    "Log2Backward0": Elementary("log(self)/log(2)"),
    "SinBackward0": Elementary("sin(self)"),
    "CosBackward0": Elementary("cos(self)"),
    "TanBackward0": Elementary("tan(self)"),
    "AsinBackward0": Elementary("asin(self)"),
    "AcosBackward0": Elementary("acos(self)"),
    "AtanBackward0": Elementary("atan(self)"),
    "SinhBackward0": Elementary("sinh(self)"),
    "CoshBackward0": Elementary("cosh(self)"),
    "TanhBackward0": Elementary("tanh(self)"),
    "SigmoidBackward0": Elementary("1/(1 + exp(-self))"),
    "SoftplusBackward0": Elementary("log(1 + exp(beta*self))/beta", defaults={"beta": 1}),
    "AbsBackward0": Elementary("Abs(self)"),
    "ReluBackward0": Elementary("Max(self, 0)"),
    "MaximumBackward0": Elementary("Max(self, other)", _BOTH),
    "MinimumBackward0": Elementary("Min(self, other)", _BOTH),
    # Of a tensor without dimensions these hand on their input.
    "SumBackward0": Elementary("self"),
    "MeanBackward0": Elementary("self"),
    "CloneBackward0": Elementary("self"),
    "ViewBackward0": Elementary("self"),
    "SqueezeBackward0": Elementary("self"),
    "ToCopyBackward0": Elementary("self"),
}
"""By the class name of the backward function. Where a derivative has a kink (abs, relu, max at a tie) sympy and
torch may choose another side; a symbol that disagrees with the measured gradient is not used."""
