"""DistributedDataParallel raised an error, since parameters got no gradient in a backward call.

Why it matters: DistributedDataParallel waits for a gradient of every parameter. Where one does not come, the next
forward raises "Expected to have finished reduction in the prior iteration", which names no parameter.

How to fix it: use the parameter in forward, remove it, or set `requires_grad=False` before the model is wrapped.
If it is used in some calls only, wrap the model with `find_unused_parameters=True`.

Example:

    self.extra = nn.Linear(4, 4)           # never used in forward
    model = DistributedDataParallel(net)   # the second forward raises
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.merging.merged_run import MergedRun
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rule import CallPlace, RankRule, rank_list, some

_MESSAGE = "Expected to have finished reduction in the prior iteration"


def check(merged: MergedRun) -> Iterator[RankFinding]:
    """Yield the parameters without a gradient on the ranks that raised DistributedDataParallel's error."""
    raised = [row["number"] for row in merged.ranks if _MESSAGE in (row["exception"] or "")]
    if not raised or not merged.calls:
        return
    call = merged.ordered[-1]
    names = [
        name
        for name, leaf in call.leaves.items()
        if name in merged.held and set(leaf.local.none) & set(raised)
    ]
    it = "it" if len(names) == 1 else "them"
    if names:
        yield RULE.found(
            f"{some(names)} got no gradient in backward call {call.index}, so DistributedDataParallel raised an"
            f" error in the next forward, on {rank_list(raised)}",
            f"use {it} in forward, remove {it}, or wrap the model with find_unused_parameters=True",
            at=CallPlace(merged.sources.get(names[0]), call.index),
            parameters=names,
            ranks=raised,
        )


RULE = RankRule("unused-parameter", "error", check, __doc__)
