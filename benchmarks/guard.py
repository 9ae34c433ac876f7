"""Fails if a whole call or command has become slower beside its peer: `python -m benchmarks.guard`.

The ratios of `benchmarks.whole` are compared with those in `results/whole.json`, which it writes with
`--output benchmarks/results`. One that is more than half as large again (a third of the speed is lost) is measured
once more, and then fails.
"""

from __future__ import annotations

import json
import sys

from benchmarks.whole import ROOT, ROWS, Measured, measure

KEPT = ROOT / "benchmarks" / "results" / "whole.json"
MOST = 1.5
"""How many times a ratio may be the one that was kept."""
NAMES = [name for name, row in ROWS.items() if not row.slow and row.peer != "torchviz"]
"""Rows that need no `dot` and no minutes."""


_HOW = "write it with `python -m benchmarks.whole --output benchmarks/results`"


def ratio(name: str) -> float:
    """CPU of ours over that of the peer. Raises SystemExit if the row fails."""
    found = measure(name)
    if not isinstance(found, Measured):
        raise SystemExit(f"{name}: {found}")
    return found.ratio


def main() -> int:
    """Measure all rows and print them; status 1 if one is slower."""
    kept, slower = json.loads(KEPT.read_text(encoding="utf-8")), []
    for name in NAMES:
        if name not in kept:
            raise SystemExit(f"{name}: not in {KEPT.name}; {_HOW}")
        found, most = ratio(name), MOST * kept[name]
        if found > most:
            found = min(found, ratio(name))
        print(f"{name}: {found:.2f} times {ROWS[name].peer}, kept {kept[name]:.2f}", flush=True)
        if found > most:
            slower.append(name)
    for name in slower:
        print(f"slower by more than a third: {name}")
    return int(bool(slower))


if __name__ == "__main__":
    sys.exit(main())
