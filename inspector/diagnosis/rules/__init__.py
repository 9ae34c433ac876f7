"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    blocked_gradient,
    dead_activation,
    exploding_gradient,
    gradient_underflow,
    saturated_activation,
    vanishing_gradient,
    wrong_backward,
    zero_derivative,
    zero_gradient,
)

_MODULES = (
    blocked_gradient,
    zero_gradient,
    zero_derivative,
    dead_activation,
    saturated_activation,
    vanishing_gradient,
    exploding_gradient,
    gradient_underflow,
    wrong_backward,
)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
