"""The loss or a gradient becomes NaN or infinite in a step after the watched backward calls.

Why it matters: a step with NaN gradients makes the parameters NaN, and with them every later loss. Often this
happens after hours, at a step that was not recorded in full.

How to fix it: look at the named line and at the batch of this step. Keep logarithms, roots and divisions inside
their domain, clip the gradients, or lower the learning rate. `inspect --backward N` draws the call.

Example:

    for step, x in enumerate(loader):
        loss = (model(x).pow(2).sum() + 1e-12 * step).log()     # 0 at step 12,437
        loss.backward()
        optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.nonfinite_origin import root_nodes
from inspector.diagnosis.analysis.outstanding_rows import add_rows, add_samples
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import began_at, number
from inspector.report import Finding
from inspector.report.timeline import Trigger

_ADVICE = "keep the operations inside their domain, clip the gradients, or lower the learning rate"


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first step that is not finite."""
    found = [*evidence.triggers("root_not_finite"), *evidence.triggers("gradient_not_finite")]
    if not found:
        return
    # At the same step the root comes first: its gradients follow from it.
    first = min(found, key=lambda trigger: (trigger["step"], trigger["kind"] != "root_not_finite"))
    call = next((call for call in evidence.calls if call.row.setting.step == first["step"]), None)
    place = Place(first["node"]["source"] if "node" in first else None)
    if call is not None:
        place = Place(call.row.location, call.index)
    finding = RULE.found(
        _message(first),
        _ADVICE,
        at=place,
        parameters=first["parameters"],
        evidence={"step": first["step"], "value": first["value"]},
    )
    if "rows" in first:
        add_samples(finding, first)
    elif call is not None:
        add_rows(finding, call, root_nodes(call), "not_finite")
    yield finding


def _message(trigger: Trigger) -> str:
    value = number(trigger["value"])
    at = f"at step {trigger['step']:,}"
    if trigger["kind"] == "root_not_finite":
        return f"{at} the loss is {value}, after finite losses in the steps before"
    names = trigger["parameters"]
    more = f" and of {len(names) - 1:,} more parameters" if len(names) > 1 else ""
    return f"{at} the gradient norm of `{names[0]}`{more} is {value}, while the loss is finite{began_at(trigger)}"


RULE = Rule("non-finite-step", "error", ("timeline",), check, __doc__)
