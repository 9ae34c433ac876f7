"""An optimizer steps and holds parameters that never got a gradient, of a model that is not in use.

Why it matters: it was made for another model than the one that is trained: a copy from before `deepcopy`, the
model of an earlier experiment, one that was built anew since. It steps without an error, and the model in use
stays as it is.

How to mend it: make the optimizer of the parameters of the model whose loss you compute, after that model is
made.

Example:

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model = Net()                        # the optimizer holds the parameters of the old one
    model(x).sum().backward()
    optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.unreached_parameters import unreached_parameters
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each optimizer that has stepped: what no watched call reached, of models that are not in use."""
    rows = [row for row in unreached_parameters(evidence) if not (row.of_a_model_in_use and row.others_reached)]
    for number in sorted(evidence.stepped):
        names = [row.leaf["name"] for row in rows if number in row.leaf["optimizers"]]
        if names:
            optimizer = evidence.optimizers[number]
            held = sum(len(group["parameters"]) for group in optimizer["groups"])
            steps = sum(1 for step in evidence.steps if step["optimizer"] == number)
            yield RULE.found(
                f"{evidence.optimizer_name(number)} has stepped {pluralize(steps, 'time')}, and {len(names)} of "
                f"the {pluralize(held, 'parameter')} that it holds never got a gradient",
                "make it of the parameters of the model whose loss is computed",
                at=Place(optimizer["source"]),
                parameters=names,
                evidence={"held": held, "without": len(names), "steps": steps},
            )


RULE = Rule("optimizer-without-gradient", "warning", ("steps", "gradients"), check, __doc__)
