"""The output of one sample of a batch depends on the input of another one.

Why it matters: a `view` where a `transpose` was meant, or a softmax over the batch, mixes samples. Shapes fit, the
loss falls, and the result of a sample changes with its neighbours in the batch.

How to fix it: look at the line where the mixing begins: `view`, `reshape` and `transpose`, and the dimension of
softmax, mean and norms. Batch norm in training mode and contrastive losses mix by design. `inspect
--check-independence script.py` asks for this check, since only you know whether samples may mix.

Example:

    h = encoder(x)                       # [time, batch, width]
    h = h.view(batch, time, width)       # h.transpose(0, 1)
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """The finding of `--check-independence`, made while the script ran: a report does not contain its tensors."""
    yield from (finding for finding in evidence.report.findings if finding.rule == RULE.name)


RULE = Rule("samples-mix", "warning", ("independence",), check, __doc__)
