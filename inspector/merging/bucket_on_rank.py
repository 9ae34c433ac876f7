"""When the buckets of DistributedDataParallel were complete on one rank, and which of them waited."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct


class _Bucket(Struct):
    parameters: list[str]
    bytes: int


class Wrapper(Struct):
    """A DistributedDataParallel module in a call, see `WrapperRow`."""

    name: str
    bypassed: bool = False
    buckets: list[_Bucket] = []
    find_unused_parameters: bool = False
    static_graph: bool = False

    @property
    def needs_all(self) -> bool:
        """Whether it also waits for parameters that are not in the graph."""
        return not (self.find_unused_parameters or self.static_graph)


class BucketOnRank(Struct):
    """A bucket in one call.

    wrapper, number: which one; number from 0, in the order of the reduction. size: in bytes.
    complete: how many Nodes had run when its last gradient was there, 0 if it waited for none; None if one never
    came, or if that is not known. last: the parameters whose gradients came last, or never.
    waits_for: the number of an earlier bucket that was complete later; None if there is none.
    share: the Nodes between, as a share of all.
    """

    wrapper: Wrapper
    number: int
    parameters: tuple[str, ...]
    size: int
    complete: int | None
    last: list[str]
    waits_for: int | None = None
    share: float = 0.0

    @property
    def time(self) -> float:
        """When it was complete: infinite if it never was, NaN if that is not known."""
        if self.complete is not None:
            return self.complete
        return math.inf if self.last else math.nan


def buckets_on_rank(wrapper: Wrapper, arrivals: Mapping[str, int | None], nodes: int) -> list[BucketOnRank]:
    """The buckets of a wrapper, in the order in which they are reduced.

    arrivals: of the parameters in the graph, how many Nodes had run with their AccumulateGrads; None if unknown.
    nodes: of the graph.
    """
    found: list[BucketOnRank] = []
    latest: BucketOnRank | None = None  # of the buckets so far, the one that was complete last
    for number, row in enumerate(wrapper.buckets):
        complete, last = _complete(wrapper, row, arrivals)
        bucket = BucketOnRank(wrapper, number, tuple(row.parameters), row.bytes, complete, last)
        found.append(bucket)
        if latest is None or bucket.time >= latest.time:
            latest = bucket
        elif bucket.time < latest.time:
            bucket.waits_for = latest.number
            bucket.share = (min(latest.time, nodes) - bucket.time) / nodes
    return found


def _complete(
    wrapper: Wrapper, bucket: _Bucket, arrivals: Mapping[str, int | None]
) -> tuple[int | None, list[str]]:
    """When the last gradient of a bucket was there, and of which parameters it was."""
    never = [name for name in bucket.parameters if name not in arrivals and wrapper.needs_all]
    places = {name: arrivals[name] for name in bucket.parameters if name in arrivals}
    known = {name: place for name, place in places.items() if place is not None}
    if never:
        return None, never
    if len(known) < len(places):
        return None, []
    last = max(known, key=known.__getitem__, default=None)
    return (0, []) if last is None else (known[last], [last])
