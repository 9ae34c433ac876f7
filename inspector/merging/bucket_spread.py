"""The buckets of DistributedDataParallel in one call, over the ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct, field

from inspector.merging.bucket_on_rank import BucketOnRank


class BucketSpread(Struct):
    """A bucket with the same parameters on several ranks.

    bucket: on the first rank that has it. low, high: the least and greatest number of Nodes after which it was
    complete, each with its rank. incomplete: the ranks on which it never was, or where that is unknown.
    last: the parameters whose gradients came last, or never. waits: the ranks by the bucket that it waits for.
    longest: the bucket on the rank where it waits longest.
    """

    bucket: BucketOnRank
    ranks: list[int] = field(default_factory=list)
    low: tuple[int, int] | None = None
    high: tuple[int, int] | None = None
    incomplete: list[int] = field(default_factory=list)
    last: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    longest: BucketOnRank | None = None

    def add(self, rank: int, bucket: BucketOnRank) -> None:
        """Add the bucket of one rank."""
        self.ranks.append(rank)
        for name in bucket.last:
            self.last[name].append(rank)
        if bucket.complete is None:
            self.incomplete.append(rank)
        else:
            at = (bucket.complete, rank)
            self.low = at if self.low is None or at[0] < self.low[0] else self.low
            self.high = at if self.high is None or at[0] > self.high[0] else self.high
        if bucket.waits_for is not None:
            self.waits[bucket.waits_for].append(rank)
            if self.longest is None or bucket.share > self.longest.share:
                self.longest = bucket


class ReductionSpread(Struct):
    """What DistributedDataParallel did in one call.

    bypassed: the wrappers that a rank's forward went around. buckets: by wrapper, number and parameters.
    """

    bypassed: dict[int, list[str]] = field(default_factory=dict)
    buckets: dict[tuple[str, int, tuple[str, ...]], BucketSpread] = field(default_factory=dict)

    def add(self, rank: int, bypassed: list[str], buckets: Sequence[BucketOnRank]) -> None:
        """Add the call of one rank."""
        if bypassed:
            self.bypassed[rank] = bypassed
        for bucket in buckets:
            key = (bucket.wrapper.name, bucket.number, bucket.parameters)
            if key not in self.buckets:
                self.buckets[key] = BucketSpread(bucket)
            self.buckets[key].add(rank, bucket)

    @property
    def ordered(self) -> list[BucketSpread]:
        """The buckets by wrapper, in the order of the reduction."""
        wrappers = list(dict.fromkeys(wrapper for wrapper, *_ in self.buckets))
        keys = sorted(self.buckets, key=lambda key: (wrappers.index(key[0]), key[1]))
        return [self.buckets[key] for key in keys]

    def bucket(self, wrapper: str, number: int, rank: int) -> BucketSpread | None:
        """A bucket on a rank."""
        found = (self.buckets[key] for key in self.buckets if key[:2] == (wrapper, number))
        return next((item for item in found if rank in item.ranks), None)
