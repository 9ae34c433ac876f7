"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    blocked_gradient,
    clip_order,
    freed_graph,
    growing_graph,
    moving_frozen_parameter,
    not_in_optimizer,
    optimizer_without_gradient,
    replaced_parameter,
    stale_gradient,
    step_without_gradient,
    unreachable_parameter,
    unregistered_module,
    wrong_backward,
)

_MODULES = (
    unreachable_parameter,
    blocked_gradient,
    freed_graph,
    stale_gradient,
    step_without_gradient,
    moving_frozen_parameter,
    clip_order,
    growing_graph,
    optimizer_without_gradient,
    replaced_parameter,
    unregistered_module,
    not_in_optimizer,
    wrong_backward,
)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
