"""A score is used only to select: by its indices, which carry no gradient.

Why it matters: topk, argsort, argmax and multinomial return indices. They say which elements are taken, and have
no derivative: a small change of the scores changes nothing, until it changes the selection. The layers that
compute the scores are not trained, and no error is raised.

How to fix it: let the values of the scores enter the loss: multiply what was selected by its score (`values` of
topk, `scores.gather(1, indices)`), or by a softmax over the scores; use a straight-through or Gumbel estimator
(`F.gumbel_softmax(scores, hard=True)`), or the log-probability of the choice, as in REINFORCE.

Example:

    chosen = router(x).topk(2, dim=1).indices      # the router is never trained
    y = torch.stack([experts[i](x[k]) for k, i in enumerate(chosen[:, 0])])
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.harmful_cuts import HarmfulCut, harmful_cuts
from inspector.diagnosis.cut_text import location
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each selection that is the only use of what trained parameters computed."""
    for cut in harmful_cuts(evidence):
        if cut.selects:
            yield _finding(cut)


def _finding(found: HarmfulCut) -> Finding:
    first = found.cuts[0]
    what = first.get("name") or "its input"
    return RULE.found(
        f"{first['operation']} turns {what} into indices, which have no derivative: nothing else of it reaches "
        "the loss, and the parameters before it get no gradient",
        f"let the values enter the loss: multiply what was selected by its score, or by a softmax over {what}; or "
        "use a Gumbel or straight-through estimator, or the log-probability of the choice",
        at=Place(location(first), found.index, found.nodes),
        parameters=found.parameters,
        evidence={"operation": first["operation"], "times": sum(cut["count"] for cut in found.cuts)},
    )


RULE = Rule("selection-by-index", "error", ("gradients", "forward"), check, __doc__)
