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

from collections.abc import Iterator

from inspector.diagnosis.cut_text import by_place, described, location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import CutRow

_OUT_OF_SIGHT = ("item", "tolist", "numpy", "detach", "data")
"""Cuts that may end in plain numbers, whose further use is not recorded."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each location that cut off parameters without another source of gradient.

    Cuts whose result is known to reach the root come first, then those whose result is not recorded further.
    """
    left = _without_gradient(evidence)
    for goes_on in (_reaches, _may_reach):
        for call in evidence.calls_recorded_in_full:
            chosen = [cut for cut in call.row.cuts if goes_on(cut) and left.intersection(cut["beyond"] or ())]
            for cuts in by_place(chosen):
                names = [name for cut in cuts for name in cut["beyond"] or () if name in left]
                left -= set(names)
                if names:
                    yield _finding(cuts, names, call.index)


def _finding(cuts: list[CutRow], names: list[str], index: int) -> Finding:
    nodes = tuple(dict.fromkeys(node for cut in cuts for node in cut["into"]))
    return RULE.found(
        f"{described(cuts[0])}: no gradient passes this point, and the parameters before it get none by any "
        "other path",
        "use the tensor itself in the loss, not a detached copy"
        if cuts[0]["region"] is None
        else "run this part with gradients enabled",
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
