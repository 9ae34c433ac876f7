"""Fails if a whole call or command has become slower beside its peer: `python -m benchmarks.guard`.

The ratios of `benchmarks.whole` are compared with those in `results/guard.json`; one that is more than half as
large again (a third of the speed is lost) is measured once more, and then fails. `--update` writes the file anew.
"""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.whole import ROOT, ROWS, Measured, measure

KEPT = ROOT / "benchmarks" / "results" / "guard.json"
MOST = 1.5
"""How many times a ratio may be the one that was kept."""
NAMES = [name for name, row in ROWS.items() if not row.slow and row.peer != "torchviz"]
"""Rows that need no `dot` and no minutes."""


def ratio(name: str) -> float:
    """CPU of ours over that of the peer. Raises SystemExit if the row fails."""
    found = measure(name)
    if not isinstance(found, Measured):
        raise SystemExit(f"{name}: {found}")
    return found.ratio


def main() -> int:
    """Measure all rows and print them; status 1 if one is slower."""
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=description)
    parser.add_argument("--update", action="store_true", help="write the ratios anew")
    if parser.parse_args().update:
        found = {name: round(ratio(name), 2) for name in NAMES}
        KEPT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return 0
    kept, slower = json.loads(KEPT.read_text(encoding="utf-8")), []
    for name in NAMES:
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
