"""Adds up reports, one at a time: what is kept does not grow with the number of ranks, except for differences."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from msgspec import Struct, field

from inspector.merging.bucket_spread import ReductionSpread
from inspector.merging.rank_file import CallOnRank, LeafOnRank, RankReport
from inspector.merging.rank_findings import RankFindings
from inspector.merging.row_types import RankRow
from inspector.merging.tensor_on_rank import TensorOnRank

QUANTITIES = ("data", "local", "reduced")


class Spread(Struct):
    """A tensor over the ranks.

    first: on the first rank that knows it. low, high: the least and greatest finite norm, each with its rank.
    different: the ranks with other elements than the first. none: the ranks on which it is None.
    """

    known: list[int] = field(default_factory=list)
    first: TensorOnRank | None = None
    low: tuple[float, int] | None = None
    high: tuple[float, int] | None = None
    none: list[int] = field(default_factory=list)
    not_finite: list[int] = field(default_factory=list)
    different: list[int] = field(default_factory=list)

    def add(self, rank: int, found: TensorOnRank | None) -> None:
        """Add what a rank knows of it."""
        if found is None:
            self.none.append(rank)
            return
        self.known.append(rank)
        if self.first is None:
            self.first = found
        elif found.differs_from(self.first):
            self.different.append(rank)
        if not found.finite:
            self.not_finite.append(rank)
            return
        at = (found.norm, rank)
        self.low = at if self.low is None or at[0] < self.low[0] else self.low
        self.high = at if self.high is None or at[0] > self.high[0] else self.high

    @property
    def finite(self) -> list[int]:
        """The ranks on which it is finite."""
        return [rank for rank in self.known if rank not in self.not_finite]


class Shards(Struct):
    """The parts of a parameter that ranks hold.

    parts: how many make the whole; 0 if no rank holds only a part. squares: the square of the norm of each part
    that is known, by quantity and number; ranks that hold the same part agree about it.
    """

    parts: int = 0
    squares: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, leaf: LeafOnRank) -> None:
        """Add the part of one rank."""
        if leaf.part is None:
            return
        self.parts = leaf.part.parts
        for quantity, found in leaf.quantities.items():
            if quantity != "local" and leaf.part.number is not None and found is not None:
                self.squares[quantity][leaf.part.number] = found.norm**2 if found.finite else math.nan

    def whole(self, quantity: str) -> float | None:
        """The norm of the whole parameter or grad; None if a part is not known."""
        known = self.squares[quantity]
        return math.sqrt(sum(known.values())) if self.parts and len(known) == self.parts else None


class LeafSpread(Struct):
    """A parameter in one call over the ranks. line: where it was used; None if unknown."""

    data: Spread = field(default_factory=Spread)
    local: Spread = field(default_factory=Spread)
    reduced: Spread = field(default_factory=Spread)
    line: Any = None
    shards: Shards = field(default_factory=Shards)


class CallSpread(Struct):
    """A backward call over the ranks.

    graphs: the ranks by their graph: (signature, Nodes). gradients: what arrived at each Node on the ranks with
    the graph of the first. reduction: what DistributedDataParallel did. scaled: whether a GradScaler was used.
    """

    index: int
    location: Any
    graphs: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    root: Spread = field(default_factory=Spread)
    leaves: dict[str, LeafSpread] = field(default_factory=lambda: defaultdict(LeafSpread))
    gradients: dict[str, Spread] = field(default_factory=lambda: defaultdict(Spread))
    reduction: ReductionSpread = field(default_factory=ReductionSpread)
    scaled: bool = False

    def add(self, rank: int, call: CallOnRank) -> None:
        """Add the call of one rank."""
        self.graphs[call.graph].append(rank)
        self.root.add(rank, call.root)
        for name, leaf in call.leaves.items():
            spread = self.leaves[name]
            spread.line = spread.line or leaf.line
            spread.shards.add(leaf)
            for quantity, found in leaf.quantities.items():
                getattr(spread, quantity).add(rank, found)
        if next(iter(self.graphs)) == call.graph:
            for node, gradient in call.gradients.items():
                self.gradients[node].add(rank, gradient)
        self.reduction.add(rank, call.reduction.bypassed, call.reduction.buckets)
        self.scaled |= call.scaled


class MergedRun:
    """The ranks that were added."""

    def __init__(self) -> None:
        self.script = ""
        self.world = 1
        self.ranks: list[RankRow] = []
        self.calls: dict[int, CallSpread] = {}
        self.losses: dict[int, dict[int, float]] = defaultdict(dict)
        """By call and rank, the size of the root where it is finite."""
        self._held: set[str] | None = None
        self.sources: dict[str, Any] = {}
        self.findings = RankFindings()

    def add(self, report: RankReport, folder: str) -> None:
        """Add the report of one rank, in the order of the ranks. folder: where it is."""
        exit = report.file.exit
        self.script = self.script or report.file.script
        self.world = max(self.world, report.world, report.number + 1)
        self.ranks.append(
            {
                "number": report.number,
                "folder": folder,
                "status": exit.get("status"),
                "exception": exit.get("exception"),
                "calls": len(report.calls),
            }
        )
        for call in report.calls:
            spread = self.calls.setdefault(call.index, CallSpread(call.index, call.location))
            spread.add(report.number, call)
            if call.root is not None and call.root.finite:
                self.losses[call.index][report.number] = call.root.norm
        self._held = report.reduced if self._held is None else self._held & report.reduced
        self.sources = report.sources | self.sources
        for row in report.file.findings:
            self.findings.add(row, report.number)

    @property
    def held(self) -> set[str]:
        """The parameters that DistributedDataParallel holds on every rank."""
        return self._held or set()

    @property
    def names(self) -> list[str]:
        """The parameters of all calls."""
        return list(dict.fromkeys(name for call in self.ordered for name in call.leaves))

    def is_replicated(self, name: str) -> bool:
        """Whether all ranks are meant to hold the same parameter: DistributedDataParallel holds it, or it was the
        same on all of them at the first call that has it. A sharded one is not."""
        if name in self.held:
            return True
        if any(call.leaves[name].shards.parts for call in self.ordered if name in call.leaves):
            return False
        spreads = [call.leaves[name].data for call in self.ordered if name in call.leaves]
        first = next((spread for spread in spreads if spread.known), None)
        return first is not None and len(first.known) > 1 and not first.different

    @property
    def ordered(self) -> list[CallSpread]:
        """The calls by index."""
        return [self.calls[index] for index in sorted(self.calls)]
