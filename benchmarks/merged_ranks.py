"""`inspect merge` of 256 ranks of a GPT: the reports are made from one, with known differences.

    python -m benchmarks.merged_ranks [RANKS]

The differences must be found, and no others. Bounds: 30 s and 1 GB for 256 ranks.
"""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec.structs import replace
from torch import nn

import inspector
from inspector.graph.values import encode
from inspector.merging import merge_reports
from inspector.report import to_json

_WIDTH, _BLOCKS, _WORDS, _LENGTH = 48, 12, 100, 32
_PARAMETER = "blocks.3.up.bias"


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.qkv, self.out = nn.Linear(_WIDTH, 3 * _WIDTH), nn.Linear(_WIDTH, _WIDTH)
        self.up, self.down = nn.Linear(_WIDTH, 4 * _WIDTH), nn.Linear(4 * _WIDTH, _WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(self.first(x)).split(_WIDTH, -1)
        heads = [part.view(*x.shape[:2], 4, -1).transpose(1, 2) for part in parts]
        mixed = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        hidden = nn.functional.gelu(self.up(self.second(x)))
        return x + torch.as_tensor(self.down(hidden))


class _GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(_WORDS, _WIDTH), nn.Embedding(_LENGTH, _WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(_BLOCKS))
        self.norm, self.head = nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, _WORDS, bias=False)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.words(words) + self.places(torch.arange(words.shape[1]))
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.head(self.norm(x)))


def _one_report() -> dict[str, Any]:
    """The rows of the report of one rank, under DistributedDataParallel."""
    torch.manual_seed(0)
    with inspector.record(watch=3) as recording:
        model = _GPT()
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(3):
            words = torch.randint(_WORDS, (4, _LENGTH))
            loss = nn.functional.cross_entropy(model(words).flatten(0, 1), words.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    report = recording.report()
    script = replace(report.script, exit={"status": 0, "exception": None})
    rows: dict[str, Any] = msgspec.json.decode(to_json(replace(report, script=script)))
    rows["modules"][0]["wrappers"] = ["DistributedDataParallel"]
    return rows


class _Rank:
    """Changes a report into that of another rank: local gradients of another size, and the known differences."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self._rows = rows
        self._norms: list[tuple[dict[str, Any], float]] = []
        for call in rows["backward_calls"]:
            for node in call["graph"]["nodes"]:
                gradient = node["gradient"]
                if node["kind"] == "function" and isinstance(gradient, dict) and "norm" in gradient:
                    self._norms.append((gradient, gradient["norm"]))
        nodes = rows["backward_calls"][1]["graph"]["nodes"]
        names = {node["name"]: node["id"] for node in nodes if "name" in node}
        self._leaf = names[_PARAMETER]

    def text(self, number: int, world: int) -> bytes:
        """The report of a rank."""
        self._rows["rank"] = {"number": number, "world": world}
        for gradient, norm in self._norms:
            gradient["norm"] = norm * (1 + number / world)
        first, second = self._rows["backward_calls"][:2]
        source = next(e["source"] for e in second["graph"]["edges"] if e["target"] == self._leaf)
        node = next(node for node in second["graph"]["nodes"] if node["id"] == source)
        leaf = next(item for item in first["graph"]["nodes"] if item.get("name") == _PARAMETER)
        kept = node["gradient"], leaf["before"]["data"]
        if number == NAN:
            node["gradient"] = node["gradient"] | {"norm": math.nan, "nans": 3}
        if number in WITHOUT:
            node["gradient"] = None
        if number == DRIFTED:
            leaf["before"]["data"] = kept[1] | {"norm": kept[1]["norm"] * 1.01}
        text = msgspec.json.encode(encode(self._rows) if number == NAN else self._rows)
        node["gradient"], leaf["before"]["data"] = kept
        return text


NAN, WITHOUT, DRIFTED = 3, (5, 6, 7), 2


def main(world: int) -> None:
    """Write the reports, merge them, check what was found, and print the time and memory."""
    with tempfile.TemporaryDirectory() as name:
        folder, rank = Path(name), _Rank(_one_report())
        for number in range(world):
            path = folder / f"rank-{number:04}" / "report.json"
            path.parent.mkdir()
            path.write_bytes(rank.text(number, world))
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        merged = merge_reports(folder)
        seconds = time.process_time() - started
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {(item.message.split(" on ")[-1], tuple(item.ranks)) for item in merged.rows["findings"]}
    ranks = sorted(tuple(item.ranks) for item in merged.rows["findings"])
    if ranks != sorted([(NAN,), WITHOUT, (DRIFTED,)]):
        raise SystemExit(f"found {sorted(found)}")
    print(f"{world} ranks: {seconds:.1f} s of CPU, {size / 1024:,.0f} MB at most ({before / 1024:,.0f} MB before)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
