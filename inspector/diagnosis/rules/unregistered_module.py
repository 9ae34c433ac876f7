"""Modules are kept in a plain list or dict, so `parameters()` does not include their parameters.

Why it matters: `nn.Module` finds its submodules among its attributes, but not inside a list, tuple or dict:
`model.parameters()`, `state_dict()`, `to(device)` and `train()` skip them. Such modules run and get
gradients, but an optimizer created from `model.parameters()` does not update them, and no checkpoint contains
them.

How to fix it: use `nn.ModuleList`, `nn.ModuleDict`, `nn.ParameterList` or `nn.Sequential`.

Example:

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.branches = [nn.Linear(8, 8) for _ in range(4)]      # nn.ModuleList([...])
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each model, the unregistered parameters that get gradients but are in no optimizer."""
    lost = [
        leaf
        for leaf in evidence.leaves
        if leaf["registered"] is False and leaf["calls"] and not leaf["optimizers"] and not leaf["written"]
    ]
    for model in dict.fromkeys(leaf["model"] for leaf in lost):
        rows = [leaf for leaf in lost if leaf["model"] == model]
        source = next((leaf["source"] for leaf in rows if leaf["source"] is not None), None)
        first = rows[0]["calls"][0]["backward_call"]
        yield RULE.found(
            f"{len(rows)} parameters are not in {model}.parameters(): their modules are in a plain list or dict",
            "keep them in nn.ModuleList, nn.ModuleDict or nn.ParameterList",
            at=Place(source, first, tuple(filter(None, (row["calls"][0]["tensor"] for row in rows)))),
            parameters=[row["name"] for row in rows],
            evidence={"model": model, "parameters": len(rows)},
        )


RULE = Rule("unregistered-module", "warning", ("gradients",), check, __doc__)
