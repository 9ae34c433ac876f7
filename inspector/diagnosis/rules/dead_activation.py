"""An activation passes (almost) no gradient.

Why it matters: relu passes no gradient where its input is negative. If all inputs are negative for every
sample, the layers before it get no gradient, do not change, and so the inputs stay negative: the units are
dead.

How to fix it: find out why the inputs are negative: a bias initialised far below zero, inputs that are not
normalised, a step that was too large. Normalise before the activation, lower the learning rate, or use an
activation with a slope on both sides (leaky_relu, gelu).

Example:

    nn.init.constant_(model.hidden.bias, -10.0)
    h = torch.relu(model.hidden(x))      # all zeros, and so is every grad of model.hidden
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.activation_stats import alive, elements, passed
from inspector.diagnosis.analysis.node_ops import is_of_kind, op
from inspector.diagnosis.analysis.node_order import only_behind
from inspector.diagnosis.analysis.zero_origin import has_no_violation, is_idle, squared_zeros_of
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.report import Finding
from inspector.typography import format_number

LEAST_PASSED = 0.1
"""Ratio of the gradient norm after an activation to that before it. Healthy models at initialisation have at least
0.44, usually 0.7 (`benchmarks/healthy_norms.py`); a relu with one element in a hundred alive has 0.1."""

LEAST_ALIVE = 0.05
"""Share of non-zero outputs of a relu. Healthy models at initialisation have at least 0.33, usually one half;
trained models may be sparse, but seldom below a tenth."""

FEWEST = 8
"""Minimum number of elements: eight random elements are all negative once in 256 times."""

_IN_PROPORTION = "softplus"
"""The slope of a softplus falls with its output: a small output (a variance, the step of Mamba's state space)
still changes in proportion."""

_FLAT_AT_ONE = "hardsigmoid"
_EXACT = ("relu", "threshold", "hardswish", "hardsigmoid")
"""Functions whose output is exactly zero where they are flat (hardsigmoid: at its lower end)."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every activation that passes almost no gradient, with the leaves that depend on it alone."""
    for call in evidence.calls_with_all_gradients:
        squared = squared_zeros_of(call, call.leaf_of)
        for node in call.functions:
            if not (_is_dead(call, node) or node == squared) or has_no_violation(evidence, call, node):
                continue
            harmed = [name for name in call.names(only_behind(call, [node])) if evidence.is_trained(name)]
            if harmed and not is_idle(call, node):
                yield _found(call, node, passed(call, node) or 0.0, harmed)


def _is_dead(call: BackwardView, node: str) -> bool:
    if not is_of_kind(call, node, NodeKind.RECTIFIES) or op(call, node) == _IN_PROPORTION:
        return False
    if elements(call.functions[node]["gradient"])[0] < FEWEST:
        return False
    share = passed(call, node)
    if share is None or share > LEAST_PASSED:
        return False
    if share == 0 and op(call, node) == _FLAT_AT_ONE:
        return True
    living = alive(call, node) if op(call, node) in _EXACT else None
    return living < LEAST_ALIVE if living is not None else True


def _found(call: BackwardView, node: str, share: float, harmed: list[str]) -> Finding:
    name, living = call.functions[node]["name"], alive(call, node)
    outputs = "" if living is None else f"; {format_number(100 * living)}% of its outputs are not zero"
    through = "nothing" if share == 0 else f"{format_number(100 * share)}%"
    return RULE.found(
        f"{name} passes {through} of its gradient{outputs}",
        "find out why its inputs are on the flat side: a bias far below zero, inputs that are not normalised, a "
        "learning rate that is too large; normalise before it, or use leaky_relu or gelu",
        at=Place(call.location(node), call.index, (node,)),
        parameters=harmed,
        evidence={"passed": share} | ({} if living is None else {"alive": living}),
    )


RULE = Rule("dead-activation", "warning", ("gradients",), check, __doc__)
