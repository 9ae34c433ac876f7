"""The rows of merged.json: what the ranks of a distributed run recorded, in one report.

As in `inspector.report.row_types`, the schema is generated from these types.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from typing_extensions import NotRequired, TypedDict

from inspector.graph.row_types import Positive, Source
from inspector.graph.values import Count, Real, Unknown
from inspector.report.row_types import Finding

MERGED_SCHEMA: Literal[1] = 1
"""The version of merged.json that is written."""

Ranks: TypeAlias = list[Count]


class RankRow(TypedDict):
    """One process, and how its script ended."""

    number: Count
    folder: str
    """The folder of its report."""
    status: int | None
    """The exit status of its script; null if it had not ended when its report was read."""
    exception: str | None
    calls: Count
    """Number of recorded backward calls."""


class Range(TypedDict):
    """The norms of one tensor on all ranks."""

    low: Real | None
    """The smallest finite norm; null if no rank has one."""
    high: Real | None
    lowest: Count | None
    """A rank with the smallest norm."""
    highest: Count | None
    none: NotRequired[Ranks]
    """The ranks on which it is None, or not in the graph; omitted if there are none."""
    not_finite: NotRequired[Ranks]
    """The ranks on which it has a NaN or infinite element; omitted if there are none."""
    different: NotRequired[Ranks]
    """The ranks on which it has other elements than on the first one; omitted if there are none."""
    unknown: NotRequired[Ranks]
    """The ranks that did not record it; omitted if there are none."""


class Whole(TypedDict):
    """A parameter of which each rank holds a part: the norms of the whole, from those of the parts."""

    parts: Positive
    data: Real | None
    """null if a part is not known."""
    reduced: Real | None


class LeafRange(TypedDict):
    """A parameter in one backward call, on all ranks."""

    name: str
    data: Range
    """Its elements when backward was called."""
    local: Range
    """The gradient that its AccumulateGrad received: of this rank's own loss."""
    reduced: Range
    """Its grad when backward had returned: with DistributedDataParallel, the mean of the local gradients, added to
    what the grad held before."""
    whole: NotRequired[Whole]
    """For a sharded parameter (FSDP): `data` and `reduced` above are then of the parts."""


class LastGradient(TypedDict):
    """The parameter whose gradient completed a bucket, or never came."""

    parameter: str
    ranks: Ranks


class Waiting(TypedDict):
    """An earlier bucket that was complete later, so that the bucket waited for it."""

    bucket: Count
    ranks: Ranks


class MergedBucket(TypedDict):
    """Gradients that DistributedDataParallel reduced together, on all ranks."""

    wrapper: str
    """The script's name for the module that it wraps."""
    number: Count
    """From 0, in the order of the reduction. Ranks reduce a bucket together: the first ones wait for the last."""
    parameters: list[str]
    bytes: Count
    ranks: NotRequired[Ranks]
    """The ranks on which the bucket has these parameters; omitted if these are all that recorded the call."""
    least: Count | None
    """The least number of Nodes that had run when its last gradient was there; null if it was complete on no rank,
    or if that is not known."""
    most: Count | None
    earliest: Count | None
    """A rank on which it was complete after `least` Nodes."""
    latest: Count | None
    last: list[LastGradient]
    incomplete: NotRequired[Ranks]
    """The ranks on which a gradient never came, or where that is not known; omitted if there are none."""
    waits_for: NotRequired[list[Waiting]]
    """Omitted if it waited on no rank."""


class GraphOfRanks(TypedDict):
    """Ranks with the same graph: the same Nodes with the same edges."""

    ranks: Ranks
    nodes: Count


class MergedCall(TypedDict):
    """A backward call, by its index on each rank."""

    index: Positive
    location: Source | Unknown
    graphs: list[GraphOfRanks]
    """One item if all ranks have the same graph."""
    root: Range
    """The first root: the loss."""
    leaves: list[LeafRange]
    buckets: NotRequired[list[MergedBucket]]
    """Omitted if DistributedDataParallel reduced nothing, and if the ranks' torch did not tell them."""


class RankFinding(Finding):
    """One defect, on one or several ranks."""

    ranks: Ranks = msgspec.field(default_factory=list)
    """The ranks on which it was found."""


class MergedRows(TypedDict):
    """The reports of the ranks of a distributed run, in one."""

    schema: Literal[1]
    """The version of this format."""
    script: str
    world: Positive
    """Number of ranks of the run."""
    ranks: list[RankRow]
    """The ranks whose reports were merged."""
    absent: Ranks
    """The ranks without a report."""
    compared: Count
    """Number of parameters that the rules compared: DistributedDataParallel holds them, or they were the same on
    all ranks at first. Others, of which a rank may hold a part, are not compared."""
    remarks: list[str]
    """Why reports were left out, if so."""
    backward_calls: list[MergedCall]
    findings: list[RankFinding]
    """What is wrong, worst first: what differs between ranks, then what the ranks found themselves."""
