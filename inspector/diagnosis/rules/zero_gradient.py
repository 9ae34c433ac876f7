"""The whole gradient of a trained parameter is exactly zero.

Why it matters: the parameter has a grad, so nothing looks wrong, but no step changes it. Unlike small
gradients, exact zeros have a cause: a Node multiplied by zeros or masked every element, or a hook replaced
the gradient.

How to fix it: look at the named Node: a mask that is zero everywhere (inverted, or the result of an integer
division), a clamp whose bounds exclude all values, a loss weight of 0, two factors both initialised to zero.
One zero factor that is itself trained (the B of LoRA, a zero-initialised gate) is intended and not reported.

Example:

    mask = (lengths > positions).long() // 2      # 1 // 2 is 0
    loss = (criterion(model(x), y) * mask).mean()
    loss.backward()                               # every grad is zeros
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.zero_origin import ZeroCause, find_zero_causes, rule_for
from inspector.diagnosis.analysis.zero_texts import explained, location
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every Node that turned the gradient of trained leaves into zeros, except those that other rules report."""
    for call in evidence.calls_with_all_gradients:
        for cause in find_zero_causes(evidence, call):
            if rule_for(call, cause) == RULE.name:
                yield _found(evidence, call, cause)


def _found(evidence: Evidence, call: BackwardView, zero: ZeroCause) -> Finding:
    wrong, advice = explained(call, zero)
    size = call.arrived(zero.node)
    return RULE.found(
        wrong,
        advice,
        at=Place(location(evidence, call, zero), call.index, (zero.node, zero.edge.target)),
        parameters=call.names(zero.leaves),
        evidence={"norm": size, "slot": zero.edge.slot},
    )


RULE = Rule("zero-gradient", "warning", ("gradients",), check, __doc__)
