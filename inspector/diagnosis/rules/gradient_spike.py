"""The gradients of a step are many times as large as those of the steps before.

Why it matters: one such step can undo hours of training: activations leave their range, units die, and with an
adaptive optimizer the following steps are too small. Often the reason is a single bad batch.

How to fix it: look at the batch of this step. Clip the gradients (`clip_grad_norm_`), clean the data, or lower
the learning rate.

The rule: the gradient norm over all parameters is above 20 times the median of the 64 recorded steps before it,
and above 5 times the largest of them; at least 32 steps must have been recorded. It is a note where a scheduler
has made the learning rate ten times as large by then, as in a search for the largest one that works.

Example:

    for x, y in loader:                  # one row of x is in millimetres instead of metres
        loss = F.mse_loss(model(x), y)
        loss.backward()                  # the gradient is 1,000,000 times as large
        optimizer.step()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.analysis.learning_rates import has_grown_at
from inspector.diagnosis.analysis.outstanding_rows import add_samples
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import began_at, number
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first spike; the steps of the others."""
    found = evidence.triggers("spike")
    if not found:
        return
    first = found[0]
    times = first["value"] / first["usual"]
    later = ", ".join(f"{trigger['step']:,}" for trigger in found[1:])
    others = f"; later at step {later}" if later else ""
    finding = RULE.found(
        f"at step {first['step']:,} the gradient norm is {number(first['value'])}, {times:,.0f} times the median"
        f" of the steps before; it grew most in `{first['parameters'][0]}`{began_at(first)}{others}",
        "look at the batch of this step; clip the gradients with clip_grad_norm_, or lower the learning rate",
        at=Place(first["node"]["source"] if "node" in first else None),
        parameters=first["parameters"],
        evidence={
            "steps": [trigger["step"] for trigger in found],
            "norm": first["value"],
            "median": first["usual"],
        },
    )
    add_samples(finding, first)
    if has_grown_at(evidence, first["step"]):
        finding.severity = "note"
    yield finding


RULE = Rule("gradient-spike", "warning", ("timeline",), check, __doc__)
