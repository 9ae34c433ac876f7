"""Ranks that train replicas of one model disagree about a gradient or a parameter.

A parameter got a gradient on some ranks only; a gradient or the loss is NaN or infinite on some ranks only; the
loss of one rank is in every call many times that of all others, although it differs little between batches; or a
parameter that was the same on all ranks is not the same any more. Compared are parameters that
DistributedDataParallel holds, and those that were the same on all ranks at first: not the parts of one that the
ranks share.

Why it matters: data-parallel training computes the mean of the gradients of all ranks. A rank without a gradient
counts as zero, NaN on one rank becomes NaN on all of them, and replicas that have drifted apart train different
models: only one of them is saved.

How to fix it: take the same way through the model on every rank; look at the data of the named rank; let every
optimizer step use reduced gradients.

Example:

    out = self.head(x)
    if rank == 1:
        out = out + self.extra(x)   # extra.weight has a gradient on rank 1 only
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inspector.merging.merged_run import CallSpread, MergedRun
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rule import CallPlace, RankRule, place_of, rank_list, some
from inspector.typography.number_format import format_number

_CALLS = 3
"""Minimum number of calls in which losses are compared."""
_TIMES, _TIMES_BATCHES = 10.0, 4.0
"""How many times the losses of all other ranks the loss of one must be, and how many times the factor by which the
loss of a rank differs between its batches."""


def check(merged: MergedRun) -> Iterator[RankFinding]:
    """Yield what ranks disagree about."""
    yield from _not_finite(merged)
    yield from _other_loss(merged)
    yield from _partial(merged)
    yield from _drifted(merged)


def _not_finite(merged: MergedRun) -> Iterator[RankFinding]:
    """The first call with NaN on some ranks only, before anything is reduced. A GradScaler skips such steps."""
    for call in merged.ordered:
        if call.scaled:
            continue
        names = [name for name, leaf in call.leaves.items() if leaf.local.not_finite and leaf.local.finite]
        ranks = {rank for name in names for rank in call.leaves[name].local.not_finite}
        if not names and call.root.not_finite and call.root.finite:
            ranks = set(call.root.not_finite)
        if not ranks:
            continue
        root_too = set(call.root.not_finite) >= ranks
        what = "the loss and its gradients are" if root_too and names else "the loss is" if root_too else (
            f"the gradient of {some(names)} is"
        )  # fmt: skip
        spread = "" if not is_spread(call, names) else "; the reduction has spread it to all ranks"
        yield RULE.found(
            f"{what} NaN or infinite on {rank_list([*ranks])} only{spread}",
            f"look at the batch of {rank_list([*ranks])} and at the findings of its own report",
            at=CallPlace(call.location, call.index),
            parameters=names,
            ranks=sorted(ranks),
        )
        return


def is_spread(call: CallSpread, names: list[str]) -> bool:
    """Whether the grads of these parameters are not finite on every rank."""
    spreads = [call.leaves[name].reduced for name in names]
    return any(spread.not_finite and not spread.finite for spread in spreads)


def _other_loss(merged: MergedRun) -> Iterator[RankFinding]:
    """A rank whose loss is far from that of all others, in each of several calls."""
    calls = merged.ordered
    losses = [merged.losses[call.index] for call in calls]
    ranks = sorted(set.intersection(*map(set, losses))) if losses else []
    alike = all(len(call.graphs) == 1 and not call.scaled for call in calls) and any(
        map(merged.is_replicated, merged.names)
    )
    if len(calls) < _CALLS or len(ranks) < 2 or not alike:
        return
    if any(row[rank] <= 0 for row in losses for rank in ranks):
        return
    batches = max(max(row[rank] for row in losses) / min(row[rank] for row in losses) for rank in ranks)
    for rank in ranks:
        others = [[row[other] for other in ranks if other != rank] for row in losses]
        times = min(row[rank] / max(found) for row, found in zip(losses, others, strict=True))
        if times >= max(_TIMES, _TIMES_BATCHES * batches):
            said = f"{times:.3g} times that of {'the other rank' if len(ranks) == 2 else 'every other rank'}"
            yield RULE.found(
                f"the loss of {rank_list([rank])} is at least {said} in each of {len(calls)} backward calls;"
                f" between the batches of one rank it differs by a factor of at most {batches:.3g}",
                f"look at the data of {rank_list([rank])}, and at how its loss is reduced and scaled",
                at=CallPlace(calls[0].location, calls[0].index),
                parameters=[],
                ranks=[rank],
                severity="warning",
            )


def _partial(merged: MergedRun) -> Iterator[RankFinding]:
    """Parameters with a gradient on some ranks only, once for all calls in which the same ranks have none."""
    groups: dict[tuple[int, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for call in merged.ordered:
        for name, leaf in call.leaves.items():
            if leaf.local.none and leaf.local.known and merged.is_replicated(name):
                groups[tuple(leaf.local.none)][name].append(call.index)
    for without, names in groups.items():
        first = min(calls[0] for calls in names.values())
        call = merged.calls[first]
        name = next(name for name, calls in names.items() if calls[0] == first)
        having = call.leaves[name].local.known
        counts = {len(calls) for calls in names.values()}
        often = f"in {max(counts)} backward calls" if max(counts) > 1 else f"in backward call {first}"
        is_reduced = name in merged.held
        effect = f"; the mean counts {rank_list(without)} as zero" if is_reduced else ""
        yield RULE.found(
            f"{some([*names])} got a gradient on {rank_list(having)} only, {often}{effect}",
            f"use {'it' if len(names) == 1 else 'them'} on every rank, or let no rank train"
            f" {'it' if len(names) == 1 else 'them'}",
            at=place_of(call, name),
            parameters=names,
            ranks=having if len(having) <= len(without) else list(without),
            severity="warning" if is_reduced else "error",
        )


def _drifted(merged: MergedRun) -> Iterator[RankFinding]:
    """Replicas that are not the same: since which call, in the first call that shows it."""
    before: CallSpread | None = None
    for call in merged.ordered:
        names = [name for name, leaf in call.leaves.items() if leaf.data.different and merged.is_replicated(name)]
        if names and before is not None and before.reduction.bypassed:
            return  # that is the cause, and a finding of its own
        if names:
            ranks = sorted({rank for name in names for rank in call.leaves[name].data.different})
            leaf = call.leaves[names[0]]
            since = "at the first backward call" if before is None else f"since backward call {before.index}"
            yield RULE.found(
                f"{some(names)} {'is' if len(names) == 1 else 'are'} not the same on all ranks {since}:"
                f" {_norms(names[0], leaf.data.low, leaf.data.high)}",
                _advice(before, names),
                at=CallPlace(call.location, call.index),
                parameters=names,
                ranks=ranks,
                severity="error" if set(names) & merged.held else "warning",
            )
            return
        before = call


def _norms(name: str, low: tuple[float, int] | None, high: tuple[float, int] | None) -> str:
    if low is None or high is None or format_number(low[0]) == format_number(high[0]):
        return f"{name} has other elements"
    return f"norm of {name} {format_number(low[0])} on rank {low[1]}, {format_number(high[0])} on rank {high[1]}"


def _advice(before: CallSpread | None, names: list[str]) -> str:
    if before is None:
        return "do not change parameters after DistributedDataParallel has made them equal"
    if any(leaf.reduced.different for name, leaf in before.leaves.items() if name in names):
        return "reduce the gradients before optimizer.step(): they were different on the ranks in that call"
    return "let every rank make the same optimizer step, and write to no parameter on one rank only"


RULE = RankRule("rank-disagreement", "error", check, __doc__)
