"""The words for the buckets of DistributedDataParallel, for the terminal and the picture."""

from __future__ import annotations

from inspector.merging.row_types import MergedBucket, MergedCall
from inspector.merging.rules.rule import rank_list, some
from inspector.typography import pluralize

_MOST = 6
"""Number of buckets that are described one by one."""


def bucket_texts(call: MergedCall) -> list[str]:
    """A line for each bucket of a call if some wait or ranks differ, else one line for all; nothing for less than
    two buckets."""
    buckets = call.get("buckets", [])
    if len(buckets) < 2:
        return []
    if not any(_is_worth_a_line(bucket) for bucket in buckets):
        return [f"{len(buckets)} buckets, reduced in the order in which their gradients arrived"]
    several = len({bucket["wrapper"] for bucket in buckets}) > 1
    texts = [_text(bucket, several, _ranks(call)) for bucket in buckets[:_MOST]]
    return texts + ([f"and {len(buckets) - _MOST} more buckets"] if len(buckets) > _MOST else [])


def waiting_texts(call: MergedCall) -> list[str]:
    """`bucket 1 waits for bucket 0 on rank 1`, for each bucket that waited."""
    found = [bucket for bucket in call.get("buckets", []) if "waits_for" in bucket]
    ranks = _ranks(call)
    texts = [f"bucket {item['number']} of {item['wrapper']} {_waits(item, ranks)}" for item in found[:_MOST]]
    return texts + ([f"and {len(found) - _MOST} more buckets wait"] if len(found) > _MOST else [])


def _is_worth_a_line(bucket: MergedBucket) -> bool:
    differs = bucket["least"] != bucket["most"] or len(bucket["last"]) > 1
    return differs or any(key in bucket for key in ("ranks", "incomplete", "waits_for"))


def _ranks(call: MergedCall) -> list[int]:
    """The ranks that recorded a call."""
    return sorted(rank for group in call["graphs"] for rank in group["ranks"])


def _text(bucket: MergedBucket, several: bool, ranks: list[int]) -> str:
    """several: whether there are buckets of several wrappers. ranks: that recorded the call."""
    name = f"bucket {bucket['number']} of {bucket['wrapper']}" if several else f"bucket {bucket['number']}"
    parts = [f"{name}  {pluralize(len(bucket['parameters']), 'parameter')}"]
    if "ranks" in bucket:
        parts.append(f"on {rank_list(bucket['ranks'])}")
    parts += _complete(bucket)
    if bucket["last"]:
        several_last = len(bucket["last"]) > 1
        names = [
            f"{item['parameter']} ({rank_list(item['ranks'])})" if several_last else item["parameter"]
            for item in bucket["last"]
        ]
        parts.append(f"waits for {some(names)}" if bucket["most"] is None else f"last: {some(names)}")
    if "waits_for" in bucket:
        parts.append(_waits(bucket, ranks))
    return "  ".join(parts)


def _complete(bucket: MergedBucket) -> list[str]:
    """`complete after 3 (rank 0) … 9 (rank 1) Nodes`."""
    least, most = bucket["least"], bucket["most"]
    if least is None or most is None:
        return ["never complete"] if bucket["last"] else ["complete at an unknown time"]
    if least == most:
        return [f"complete after {pluralize(least, 'Node')}"]
    return [f"complete after {least} (rank {bucket['earliest']}) … {most} (rank {bucket['latest']}) Nodes"]


def _waits(bucket: MergedBucket, ranks: list[int]) -> str:
    """`waits for bucket 0`, on which ranks if not on all of them."""
    waits = [
        f"bucket {item['bucket']}" + ("" if item["ranks"] == ranks else f" on {rank_list(item['ranks'])}")
        for item in bucket.get("waits_for", [])
    ]
    return f"waits for {some(waits)}"
