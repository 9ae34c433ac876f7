"""The forward called the module in a DistributedDataParallel, not the wrapper: gradients were not reduced.

Found where the replicas drifted apart afterwards; a script that reduces the gradients itself keeps them equal.

Why it matters: DistributedDataParallel prepares the reduction when it is called itself. `model.module(x)` gives
the same output, but each rank then steps with the gradient of its own batch.

How to fix it: call the wrapper, `model(x)`. Use `model.module` to save a checkpoint, or under `torch.no_grad()`.

Example:

    model = DistributedDataParallel(net)
    loss = criterion(model.module(x), y)   # model(x)
    loss.backward()
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.merging.reduction import Reduction
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rule import Place, RankRule, rank_list


def check(merged: Reduction) -> Iterator[RankFinding]:
    """Yield the first call whose forward went around a wrapper, if the replicas are different afterwards."""
    for call in merged.ordered:
        later = [other for other in merged.ordered if other.index > call.index]
        drifted = [name for other in later for name, leaf in other.leaves.items() if leaf.data.different]
        names = [name for name in dict.fromkeys(drifted) if name in (merged.reduced or ())]
        if not call.bypassed or not names:
            continue
        wrapper = next(iter(call.bypassed.values()))[0]
        yield RULE.found(
            f"the forward called {wrapper}.module, not {wrapper}, on {rank_list([*call.bypassed])}: "
            "DistributedDataParallel did not reduce the gradients, and the replicas are different now",
            f"call {wrapper}(…)",
            at=Place(call.location, call.index),
            parameters=names,
            ranks=sorted(call.bypassed),
        )
        return


RULE = RankRule("ddp-bypassed", "error", check, __doc__)
