"""The backward of a custom Function is not the derivative of its forward.

Why it matters: torch uses whatever `backward` returns. A wrong sign, a forgotten factor or a missing sum over
the batch gives plausible gradients, and a model that learns slowly or learns something else.

How to fix it: derive it again; `inspect --gradcheck script.py` compares it with finite differences at the
inputs that the script used. A backward that differs on purpose (straight-through, gradient reversal) can
stay.

Example:

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            return gradient * x      # 2 * x
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Rule
from inspector.report import Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """The findings of `--gradcheck`, made while the script ran: a report does not contain the user's Functions."""
    yield from (finding for finding in evidence.report.findings if finding.rule == RULE.name)


RULE = Rule("wrong-backward", "error", ("gradcheck",), check, __doc__)
