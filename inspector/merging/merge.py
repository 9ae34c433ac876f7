"""Merge the reports of the ranks in a folder, one at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from inspector.merging.bucket_spread import BucketSpread
from inspector.merging.follow_ups import without_follow_ups
from inspector.merging.merged_run import CallSpread, LeafSpread, MergedRun, Spread
from inspector.merging.rank_file import read_rank
from inspector.merging.rank_findings import SEVERITIES
from inspector.merging.row_types import (
    MERGED_SCHEMA,
    LeafRange,
    MergedBucket,
    MergedCall,
    MergedRows,
    Range,
    RankFinding,
)
from inspector.merging.rules import RANK_RULES
from inspector.report import ReportError

_FOLDER = re.compile(r"rank-(\d{4,})")


class Merged(Struct, frozen=True):
    """The merged report. run: what it was made from, for the picture. folders: of the ranks, by number."""

    rows: MergedRows
    run: MergedRun
    folders: dict[int, Path]


def rank_folders(folder: Path) -> dict[int, Path]:
    """The folders of the ranks in an output folder, by the number of the rank."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := _FOLDER.fullmatch(path.name))}
    return dict(sorted(found.items()))


def merge_reports(folder: Path, remarks: Sequence[str] = (), numbers: Sequence[int] | None = None) -> Merged:
    """Merge the reports of the ranks in a folder.

    remarks: what to say about ranks that are left out. numbers: the ranks to merge; None for all.
    Raises ReportError if there is none, OSError if the folder cannot be read.
    """
    run, folders, said = MergedRun(), rank_folders(folder), [*remarks]
    for number, path in folders.items():
        report = path / "report.json"
        if (numbers is not None and number not in numbers) or not report.exists():
            continue
        try:
            run.add(read_rank(report, number), path.name)
        except ReportError as error:
            said.append(f"{error}; merged without it")
    if not run.ranks:
        reason = f": {said[0]}" if said else ""
        raise ReportError(f"{folder} has no report of a rank (rank-0000/report.json){reason}")
    return Merged(_rows(run, said), run, folders)


def _rows(run: MergedRun, remarks: list[str]) -> MergedRows:
    numbers = [row["number"] for row in run.ranks]
    return {
        "schema": MERGED_SCHEMA,
        "script": run.script,
        "world": run.world,
        "ranks": run.ranks,
        "absent": [number for number in range(run.world) if number not in numbers],
        "compared": sum(map(run.is_replicated, run.names)),
        "remarks": remarks,
        "backward_calls": [_call_row(call) for call in run.ordered],
        "findings": _findings(run),
    }


def _findings(run: MergedRun) -> list[RankFinding]:
    """The findings about several ranks, then those of the ranks: the worst first, and of equally bad ones the
    earliest, which may be the cause of the others."""
    found = [finding for rule in RANK_RULES.values() for finding in rule.check(run)]
    found = without_follow_ups([*found, *run.findings.all()], run)
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), finding.backward_call or 0))


def _call_row(call: CallSpread) -> MergedCall:
    ranks = sorted(rank for ranks in call.graphs.values() for rank in ranks)
    row: MergedCall = {
        "index": call.index,
        "location": call.location,
        "graphs": [{"ranks": group, "nodes": nodes} for (_, nodes), group in call.graphs.items()],
        "root": _range(call.root, ranks),
        "leaves": [_leaf_row(name, leaf, ranks) for name, leaf in call.leaves.items()],
    }
    if call.reduction.buckets:
        row["buckets"] = [_bucket_row(item, ranks) for item in call.reduction.ordered]
    return row


def _bucket_row(spread: BucketSpread, ranks: Sequence[int]) -> MergedBucket:
    """ranks: those that recorded the call."""
    (least, earliest), (most, latest) = spread.low or (None, None), spread.high or (None, None)
    row: MergedBucket = {
        "wrapper": spread.bucket.wrapper.name,
        "number": spread.bucket.number,
        "parameters": list(spread.bucket.parameters),
        "bytes": spread.bucket.size,
        "least": least,
        "most": most,
        "earliest": earliest,
        "latest": latest,
        "last": [{"parameter": name, "ranks": found} for name, found in spread.last.items()],
    }
    if spread.ranks != list(ranks):
        row["ranks"] = spread.ranks
    if spread.incomplete:
        row["incomplete"] = spread.incomplete
    if spread.waits:
        row["waits_for"] = [{"bucket": number, "ranks": found} for number, found in sorted(spread.waits.items())]
    return row


def _leaf_row(name: str, leaf: LeafSpread, ranks: Sequence[int]) -> LeafRange:
    row: LeafRange = {
        "name": name,
        "data": _range(leaf.data, ranks),
        "local": _range(leaf.local, ranks),
        "reduced": _range(leaf.reduced, ranks),
    }
    if (shards := leaf.shards).parts:
        row["whole"] = {"parts": shards.parts, "data": shards.whole("data"), "reduced": shards.whole("reduced")}
    return row


def _range(spread: Spread, ranks: Sequence[int]) -> Range:
    """ranks: those that recorded the call."""
    low, lowest = spread.low or (None, None)
    high, highest = spread.high or (None, None)
    row: Range = {"low": low, "high": high, "lowest": lowest, "highest": highest}
    if spread.none:
        row["none"] = spread.none
    if spread.not_finite:
        row["not_finite"] = spread.not_finite
    if spread.different:
        row["different"] = spread.different
    seen = {*spread.known, *spread.none}
    if unknown := [rank for rank in ranks if rank not in seen]:
        row["unknown"] = unknown
    return row
