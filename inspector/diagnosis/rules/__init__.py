"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    accidental_broadcast,
    blocked_gradient,
    dead_activation,
    detached,
    double_sigmoid,
    double_softmax,
    exploding_gradient,
    gradient_underflow,
    inplace_modified,
    no_graph,
    non_finite_forward,
    non_finite_gradient,
    non_leaf_tensor,
    rebound_leaf,
    rewrapped_loss,
    saturated_activation,
    silent_overwrite,
    unstable_log_softmax,
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
    inplace_modified,
    silent_overwrite,
    non_finite_forward,
    non_finite_gradient,
    zero_gradient,
    zero_derivative,
    dead_activation,
    saturated_activation,
    vanishing_gradient,
    exploding_gradient,
    gradient_underflow,
    accidental_broadcast,
    double_softmax,
    double_sigmoid,
    wrong_backward,
    unstable_log_softmax,
)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
