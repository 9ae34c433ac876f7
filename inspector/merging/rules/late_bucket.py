"""DistributedDataParallel reduces a bucket late, since an earlier bucket waits for its last gradient.

A bucket holds the gradients that are reduced together. DistributedDataParallel reduces its buckets in one order,
the same on all ranks: a bucket that is complete waits until those before it have been reduced. The order is that
of the gradients in the first backward on rank 0; with `find_unused_parameters=True` it is the reverse of the order
in which the modules were registered. Reported are waits of at least a tenth of the Nodes of a backward.

Why it matters: buckets are reduced while backward computes other gradients. Where all of them wait for one,
nothing is reduced until the end of backward, and then every rank waits for the network.

How to fix it: register modules in the order in which forward calls them, and call them in the same order on every
rank and in every step.

Example:

    self.head, self.body = nn.Linear(512, 10), nn.Linear(512, 512)   # forward calls body first
    model = DistributedDataParallel(net, find_unused_parameters=True)
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.merging.bucket_spread import BucketSpread
from inspector.merging.merged_run import CallSpread, MergedRun
from inspector.merging.row_types import RankFinding
from inspector.merging.rules.rule import RankRule, place_of, rank_list, some
from inspector.typography import pluralize

_LEAST_SHARE = 0.1


def check(merged: MergedRun) -> Iterator[RankFinding]:
    """Yield each wrapper's bucket for which others wait, in the first call that shows it."""
    seen: set[str] = set()
    for call in merged.ordered:
        waiting = [item for item in call.reduction.ordered if _is_late(item)]
        for wrapper in dict.fromkeys(item.bucket.wrapper.name for item in waiting):
            if wrapper not in seen:
                seen.add(wrapper)
                yield from _finding(call, [item for item in waiting if item.bucket.wrapper.name == wrapper])


def _is_late(spread: BucketSpread) -> bool:
    return spread.longest is not None and spread.longest.share >= _LEAST_SHARE


def _finding(call: CallSpread, waiting: list[BucketSpread]) -> Iterator[RankFinding]:
    """The finding about the buckets of one wrapper that wait."""
    longest = max((item for item in waiting), key=lambda item: 0.0 if item.longest is None else item.longest.share)
    assert longest.longest is not None and longest.longest.waits_for is not None
    wrapper, number = longest.bucket.wrapper, longest.longest.waits_for
    ranks = sorted({rank for item in waiting for rank in item.waits.get(number, [])})
    cause = call.reduction.bucket(wrapper.name, number, ranks[0])
    if cause is None or not cause.last or cause.high is None:
        return  # it never was complete, or that is not known
    names = [name for name, found in cause.last.items() if set(found) & set(ranks)]
    waiting = [item for item in waiting if number in item.waits]
    numbers = [str(item.bucket.number) for item in waiting]
    where = f" on {rank_list(ranks)}" if _differs(call, ranks) else ""
    last, nodes = cause.high[0], max(count for _, count in call.graphs)
    complete = max(item.low[0] for item in waiting if item.low is not None)
    yield RULE.found(
        f"{_buckets(numbers)} of {wrapper.name} {'waits' if len(numbers) == 1 else 'wait'} for bucket {number}"
        f"{where}: the last gradient of bucket {number}, of {some(names)}, is there after {last} of"
        f" {pluralize(nodes, 'Node')}, {'its own' if len(numbers) == 1 else 'theirs'} after {complete} or less",
        _advice(call, wrapper.find_unused_parameters and not wrapper.static_graph, ranks),
        at=place_of(call, names[0]),
        parameters=names,
        ranks=ranks,
    )


def _buckets(numbers: list[str]) -> str:
    return f"bucket{'s' * (len(numbers) != 1)} {some(numbers)}"


def _differs(call: CallSpread, ranks: list[int]) -> bool:
    """Whether these are not all ranks of a call."""
    return len(ranks) < sum(map(len, call.graphs.values()))


def _advice(call: CallSpread, is_by_registration: bool, ranks: list[int]) -> str:
    """is_by_registration: whether the order of the buckets is that of the modules."""
    if _differs(call, ranks):
        return "call the modules in the same order on every rank"
    if is_by_registration:
        return "register the modules in the order in which forward calls them, or leave find_unused_parameters out"
    return "call the modules in the same order in every step: the order of the buckets is that of the first"


RULE = RankRule("late-bucket", "note", check, __doc__)
