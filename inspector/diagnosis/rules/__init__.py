"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    blocked_gradient,
    detached,
    no_graph,
    non_leaf_tensor,
    rebound_leaf,
    rewrapped_loss,
    wrong_backward,
)

_MODULES = (
    no_graph,
    rewrapped_loss,
    rebound_leaf,
    detached,
    blocked_gradient,
    non_leaf_tensor,
    wrong_backward,
)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
