"""How many edges of scalars have their local derivative as a symbol.

    python tests/symbols.py [SCRIPT or FOLDER ...]

An edge counts if the gradients at both of its ends are numbers, and its symbol if the number that it stands for
times the upstream gradient is the gradient that torch computed. Without scripts: those of gallery/course and
tests/scripts/slides. Prints the share, and the edges without.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]

import inspector  # noqa: E402
from inspector.graph import Graph  # noqa: E402
from inspector.graph.values import is_number  # noqa: E402

FOLDERS = (HERE.parent / "gallery" / "course", HERE / "scripts" / "slides")


@dataclass
class Count:
    """Edges of scalars. without: those that have no symbol, as lines."""

    edges: int = 0
    without: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Share of the edges that have one."""
        return 1 - len(self.without) / self.edges if self.edges else math.nan


def graphs_of(script: Path) -> Iterator[Graph]:
    """The graphs of the backward calls of a script, also of one that ends with an error, about a pitfall."""
    before = Path.cwd()
    os.chdir(script.parent)
    quiet = contextlib.redirect_stdout(io.StringIO())
    try:
        with inspector.record() as recording, quiet, contextlib.suppress(RuntimeError):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        os.chdir(before)
    yield from (call.graph for call in recording.calls)


def add(count: Count, graph: Graph, name: str) -> None:
    """Count the edges of a graph. name: of its script."""
    for source, target, edge in graph.edges("next"):
        upstream, gradient, local = graph.function(source)["gradient"], edge.get("gradient"), edge.get("local")
        if not is_number(upstream) or not is_number(gradient):
            continue
        count.edges += 1
        symbol, value = (local.get("symbol"), local.get("value")) if local else (None, None)
        holds = is_number(value) and math.isclose(value * upstream, gradient, rel_tol=1e-5, abs_tol=1e-12)
        if not symbol or not (holds or math.isnan(gradient)):
            ends = f"{graph.function(source)['name']} → {graph.function(target)['name']}"
            count.without.append(f"{name}: {ends}, gradient {gradient}")


def count_of(paths: list[Path]) -> Count:
    """The edges of all scripts in folders, and of scripts."""
    count = Count()
    for path in paths:
        for script in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            for graph in graphs_of(script.resolve()):
                add(count, graph, script.stem)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=list(FOLDERS))
    count = count_of(parser.parse_args().paths)
    for line in count.without:
        print(line)
    print(f"{count.share:.1%} of {count.edges} scalar edges have a symbol")


if __name__ == "__main__":
    main()
