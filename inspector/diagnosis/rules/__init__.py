"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import (
    accidental_broadcast,
    blocked_gradient,
    double_sigmoid,
    double_softmax,
    inplace_modified,
    non_finite_forward,
    non_finite_gradient,
    silent_overwrite,
    unstable_log_softmax,
    wrong_backward,
)

_MODULES = (
    blocked_gradient,
    inplace_modified,
    silent_overwrite,
    non_finite_forward,
    non_finite_gradient,
    accidental_broadcast,
    double_softmax,
    double_sigmoid,
    wrong_backward,
    unstable_log_softmax,
)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
