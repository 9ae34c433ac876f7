"""A GradScaler skips one step after another.

Why it matters: it skips a step whose gradients are not finite, and halves its scale. If they are not finite at
any scale, every step is skipped: the parameters stay as they are, and the scale sinks towards 0.

How to fix it: find out why the gradients are not finite, which is not the scale: run the same step in float32.
Look for NaN in the data, and for operations that overflow in float16 (exp, pow, sums of many elements).

The rule: at least 16 steps in a row are skipped. A scale that starts at 65,536 finds its place before.

Example:

    with torch.autocast("cuda", dtype=torch.float16):
        loss = model(x).exp().sum()                 # overflows in float16 at any scale
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.diagnosis.wording import number
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """The first scale that collapses."""
    for trigger in evidence.triggers("scale")[:1]:
        yield RULE.found(
            f"before step {trigger['step']:,} the GradScaler has skipped 16 steps in a row; its scale is"
            f" {number(trigger['value'])}",
            "run this step in float32 and look for NaN in the data and for operations that overflow in float16",
            evidence={"step": trigger["step"], "scale": trigger["value"]},
        )


RULE = Rule("collapsed-scale", "error", ("timeline",), check, __doc__)
