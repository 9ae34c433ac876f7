"""A trained parameter gets no gradient because a tensor between it and the root was detached.

Why it matters: `detach`, `.data`, `.item()`, `.numpy()`, `torch.tensor(t)`, `no_grad` and `inference_mode`
return a tensor that is not connected to the graph. The parameters before it are not trained, and no error is
raised: the loss still falls a little because the rest of the model learns.

How to fix it: use the tensor itself in the loss. Keep `.item()` and `.detach()` for logging only.

Example:

    def forward(self, x):
        with torch.no_grad():            # the encoder is never trained
            features = self.encoder(x)
        return self.head(features)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from inspector.diagnosis.cut_text import advice, by_place, described, location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import CutRow

_OUT_OF_SIGHT = ("item", "tolist", "numpy", "detach", "data")
"""Cuts that may end in plain numbers, whose further use is not recorded."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each location that cut off parameters without another source of gradient.

    The calls before a step that updates these parameters come first. In each, cuts whose result is known to reach
    the root come first, then those whose result is not recorded further.
    """
    left = _without_gradient(evidence)
    for before_step, goes_on in itertools.product((True, False), (_reaches, _may_reach)):
        for call in evidence.calls_recorded_in_full:
            harmed = {name for name in left if not before_step or call.index in _before_a_step(evidence, name)}
            chosen = [cut for cut in call.row.cuts if goes_on(cut) and harmed.intersection(cut["beyond"] or ())]
            for cuts in by_place(chosen):
                names = [name for cut in cuts for name in cut["beyond"] or () if name in harmed & left]
                left -= set(names)
                if names:
                    yield _finding(cuts, names, call.index)


def _before_a_step(evidence: Evidence, name: str) -> set[int]:
    """The last calls before the steps of the optimizers that hold this leaf.

    Other calls train other parameters: a GAN detaches the output of its generator where it trains the critic.
    """
    return {step["after_call"] for step in evidence.steps if name in evidence.held_by(step["optimizer"])}


def _finding(cuts: list[CutRow], names: list[str], index: int) -> Finding:
    nodes = tuple(dict.fromkeys(node for cut in cuts for node in cut["into"]))
    return RULE.found(
        f"{described(cuts[0])}: no gradient passes this point, and the parameters before it get none by any "
        "other path",
        advice(cuts[0]),
        at=Place(location(cuts[0]), index, nodes),
        parameters=names,
        evidence={"kind": cuts[0]["kind"], "times": sum(cut["count"] for cut in cuts)},
    )


def _reaches(cut: CutRow) -> bool:
    return bool(cut["into"] or cut["root"])


def _may_reach(cut: CutRow) -> bool:
    return cut["kind"] in _OUT_OF_SIGHT and bool(cut["early"])


def _without_gradient(evidence: Evidence) -> set[str]:
    """Trained leaves under a cut that are not under any root.

    An optimizer whose parameters get no gradient, while parameters in no optimizer do, has the wrong parameters.
    """
    under = {name for call in evidence.calls for cut in call.row.cuts for name in cut["beyond"] or ()}
    wrong: set[str] = set()
    left_out = evidence.reached.intersection(row["name"] for row in evidence.parameters) - evidence.trained
    for row in evidence.optimizers if left_out else ():
        held = {name for group in row["groups"] for name in group["parameters"]}
        wrong |= held if not held & evidence.reached else set()
    frozen = {leaf["name"] for leaf in evidence.leaves if not leaf["requires_grad"]}
    return {name for name in under - evidence.reached - wrong - frozen if evidence.is_stepped(name)}


RULE = Rule("detached", "error", ("gradients", "forward"), check, __doc__)
