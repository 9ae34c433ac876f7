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

from inspector.diagnosis.analysis.harmful_cuts import HarmfulCut, harmful_cuts
from inspector.diagnosis.cut_text import advice, described, location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each location that cut off parameters, other than by selecting."""
    for cut in harmful_cuts(evidence):
        if not cut.selects:
            yield _finding(cut)


def _finding(found: HarmfulCut) -> Finding:
    first = found.cuts[0]
    return RULE.found(
        f"{described(first)}: no gradient passes this point, and the parameters before it get none by any other "
        "path",
        advice(first),
        at=Place(location(first), found.index, found.nodes),
        parameters=found.parameters,
        evidence={"kind": first["kind"], "times": sum(cut["count"] for cut in found.cuts)},
    )


RULE = Rule("detached", "error", ("gradients", "forward"), check, __doc__)
