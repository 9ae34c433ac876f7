"""The forward called the module in a DistributedDataParallel, not the wrapper: gradients were not reduced.

An error where the replicas have drifted apart afterwards, a warning where the parameters of later calls were not
recorded. A script that reduces the gradients itself keeps the replicas equal.

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

from inspector.merging.merged_run import MergedRun
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rule import CallPlace, RankRule, rank_list


def check(merged: MergedRun) -> Iterator[RankFinding]:
    """Yield the first call whose forward went around a wrapper, unless the replicas are the same afterwards."""
    for call in merged.ordered:
        if not call.reduction.bypassed:
            continue
        names = [name for name, leaf in call.leaves.items() if leaf.reduced.different and name in merged.held]
        later = [other.leaves[name] for name in names for other in merged.ordered if other.index > call.index]
        is_different = any(leaf.data.different for leaf in later)
        if not later or (not is_different and any(leaf.data.known for leaf in later)):
            return
        wrapper = next(iter(call.reduction.bypassed.values()))[0]
        effect = ", and the replicas are different now" if is_different else ": they are different on the ranks"
        yield RULE.found(
            f"the forward called {wrapper}.module, not {wrapper}, on {rank_list([*call.reduction.bypassed])}; "
            f"DistributedDataParallel did not reduce the gradients{effect}",
            f"call {wrapper}(…)",
            at=CallPlace(call.location, call.index),
            parameters=names,
            ranks=sorted(call.reduction.bypassed),
            severity="error" if is_different else "warning",
        )
        return


RULE = RankRule("ddp-bypassed", "error", check, __doc__)
