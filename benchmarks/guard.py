"""Fails if a whole call or command has become slower beside its peer: `python -m benchmarks.guard`.

The ratios of `benchmarks.whole` are compared with those in `results/whole.json`, which it writes with
`--output benchmarks/results`. A ratio above 1.5 times the kept one means that a third of the speed is lost. It is
measured a second time, and fails if it is above again.
"""

from __future__ import annotations

import json
import sys

from benchmarks.whole import ROOT, ROWS, Measured, measure

KEPT = ROOT / "benchmarks" / "results" / "whole.json"
MOST = 1.5
"""A ratio may be at most so many times the kept one."""


def ratio(name: str) -> float:
    """The inspector's CPU time divided by the peer's. Raises SystemExit if the row cannot be measured."""
    found = measure(name)
    if not isinstance(found, Measured):
        raise SystemExit(f"{name}: {found}")
    return found.ratio


def main() -> int:
    """Measure the rows that were kept and need neither `dot` nor minutes; status 1 if one is slower."""
    kept, slower = json.loads(KEPT.read_text(encoding="utf-8")), []
    for name in (name for name in kept if not ROWS[name].slow and ROWS[name].peer != "torchviz"):
        before = kept[name]["ratio"]
        found = ratio(name)
        if found > MOST * before:
            found = min(found, ratio(name))
        print(f"{name}: {found:.2f} times {ROWS[name].peer}, kept {before:.2f}", flush=True)
        if found > MOST * before:
            slower.append(name)
    for name in slower:
        print(f"slower by more than a third: {name}")
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
