"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    blocked_gradient,
    dead_activation,
    detached,
    exploding_gradient,
    gradient_underflow,
    no_graph,
    non_leaf_tensor,
    rebound_leaf,
    rewrapped_loss,
    saturated_activation,
    vanishing_gradient,
    wrong_backward,
    zero_derivative,
    zero_gradient,
)

_MODULES = (
    no_graph,
    rewrapped_loss,
    rebound_leaf,
    detached,
    blocked_gradient,
    non_leaf_tensor,
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
