"""One path from the loss to trained parameters is cut, while another one remains.

Why it matters: the parameters get a gradient, so nothing looks wrong, but a part of the loss does not train
them. A term that is a number (`.item()`), or was computed with gradients turned off, is a constant for
autograd: it raises the loss and changes no gradient. A sample drawn by `sample()` trains the decoder of a
variational autoencoder and leaves the encoder to the KL term.

How to fix it: compute the term from the tensors themselves. Use `rsample()` instead of `sample()`, and
`create_graph=True` for a penalty on gradients.

Example:

    penalty = sum(p.pow(2).sum().item() for p in model.parameters())
    loss = criterion(model(x), y) + 1e-3 * penalty      # the penalty has no gradient
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.cut_numbers import is_number_in
from inspector.diagnosis.analysis.node_ops import is_of_kind, op
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.cut_text import advice, by_place, described, location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.graph.node_kinds import NodeKind
from inspector.graph.values import is_number
from inspector.report import Finding
from inspector.report.row_types import CutRow

_SCALES = ("mul", "mul.Scalar", "div", "div.Scalar", "neg")
"""Operations that leave a term of a loss what it is, if they have one input with a graph."""


_TO_NUMBERS = ("item", "tolist", "numpy")
_DRAWS = ("multinomial", "bernoulli", "poisson")
"""Operations that draw integers."""

_TERM = (
    "a term of the loss gives no gradient to the parameters that it was computed from: {}",
    "; a value that is only to be printed does not belong in the loss",
)
_SAMPLE = ("{}: the parameters of its distribution get no gradient through the sample, only by other paths", "")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Terms of the loss, and samples, that give no gradient to parameters which the next step updates."""
    for call in evidence.calls_recorded_in_full:
        stepping = {step["optimizer"] for step in evidence.steps if step["after_call"] == call.index}
        trained = {name for number in stepping for name in evidence.held_by(number)}
        cuts = [cut for cut in call.row.cuts if cut["early"] and trained.intersection(cut["leaves"] or ())]
        cuts = [cut for cut in cuts if not _has_log_probability(call, cut)]
        if not cuts or call.row.setting.wanted is not None:
            continue
        terms = _terms(call)
        for rows in by_place(cut for cut in cuts if any(_cuts_term(call, cut, term, trained) for term in terms)):
            yield _found(call, rows, _TERM, trained)
        for rows in by_place(cut for cut in cuts if _is_lost_sample(call, cut)):
            yield _found(call, rows, _SAMPLE, trained)


def _terms(call: BackwardView) -> list[tuple[str, str | None]]:
    """The terms of a scalar loss: each as the Node that adds it, and the Node that made it (None: a constant)."""
    found: list[tuple[str, str | None]] = []
    waiting = [node for root in call.graph.roots if (node := call.tensors[root]["grad_fn"]) is not None]
    for node in waiting:  # grows during the iteration
        below = call.inputs_of(node)
        is_sum = is_of_kind(call, node, NodeKind.ADDS)
        if not is_number(call.functions[node]["gradient"]) or not (is_sum or op(call, node) in _SCALES):
            continue
        if is_sum and len(below) == 1:
            found.append((node, None))
        elif is_sum:
            found += [(node, other) for other in below]
        if is_sum or len(below) == 1:
            waiting += [other for other in below if other not in waiting]
    return found


def _cuts_term(call: BackwardView, cut: CutRow, term: tuple[str, str | None], trained: set[str]) -> bool:
    """Whether a cut is why a term gives the trained parameters no gradient."""
    adds, made_by = term
    if made_by is None:
        is_number = cut["kind"] in _TO_NUMBERS and is_number_in(call, cut, adds)
        return is_number or (adds in cut["into"] and not _is_meant(call, cut, adds))
    below = set(call.towards_leaves([made_by]))
    leaves = {call.name(call.leaf_of[node]) for node in below & call.leaf_of.keys()}
    return not leaves & trained and not below.isdisjoint(cut["into"])


def _is_meant(call: BackwardView, cut: CutRow, adds: str) -> bool:
    """Whether the sum itself detaches a number, as `loss + (value - loss).detach()` does to show another value."""
    if cut["kind"] not in ("detach", "data"):
        return False
    code, assigned = cut.get("code"), cut.get("assigned")
    return any(
        (code and code in row.get("expression", "")) or (assigned and assigned == row["name"])
        for row in call.functions[adds].get("constants", ())
    )


def _has_log_probability(call: BackwardView, cut: CutRow) -> bool:
    """Whether the loss contains a function of drawn integers and of the scores that they were drawn from, such as
    the log-probability of an action: that is how the scores learn, whatever else is computed from the integers."""
    own = set(cut["leaves"] or ())
    if cut["kind"] != "integer" or cut["operation"] not in _DRAWS:
        return False
    return any(not own.isdisjoint(call.leaves_affected_by([node])) for node in cut["into"])


def _is_lost_sample(call: BackwardView, cut: CutRow) -> bool:
    """Whether a sample goes on into layers of other parameters only, and no `log_prob` of it trains its own."""
    if cut["kind"] != "sample" or not cut["into"] or cut["beyond"]:
        return False
    own = set(cut["leaves"] or ())
    return all(own.isdisjoint(call.leaves_affected_by([node])) for node in cut["into"])


def _found(call: BackwardView, cuts: list[CutRow], texts: tuple[str, str], trained: set[str]) -> Finding:
    message, more = texts
    nodes = tuple(dict.fromkeys(node for cut in cuts for node in cut["into"]))
    return RULE.found(
        message.format(described(cuts[0])),
        advice(cuts[0]) + more,
        at=Place(location(cuts[0]), call.index, nodes),
        parameters=[name for cut in cuts for name in cut["leaves"] or () if name in trained],
        evidence={"kind": cuts[0]["kind"]},
    )


RULE = Rule("cut-path", "warning", ("gradients", "forward", "steps"), check, __doc__)
