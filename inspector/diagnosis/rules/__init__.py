"""One module a rule. The table is their order: of two findings that are equally bad, the earlier comes first."""

from inspector.diagnosis.rule import Rule
from inspector.diagnosis.rules import blocked_gradient, wrong_backward

_MODULES = (blocked_gradient, wrong_backward)

RULES: dict[str, Rule] = {module.RULE.name: module.RULE for module in _MODULES}
