"""What the page shows of a script: it runs once under `inspect`, and its report is drawn in every style."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.diagnosis import diagnose_report
from inspector.diagnosis.mark_graph import mark_graph
from inspector.export import write_scenes
from inspector.figure import draw
from inspector.options.choices import STYLE_NAMES
from inspector.options.figure_options import FigureOptions
from inspector.page import PageSource, still_of, write_page
from inspector.report import load
from inspector.report.model import BackwardCall

THEMES = ("light", "dark")
MOST_UNFOLDED = 30
"""Up to this number of Nodes the style of small graphs is shown first."""
MOST_NODES = 100
"""Above this only the style that folds is shown: the others draw every Node."""
PEER_LIMIT = 120
"""Seconds that torchviz may take."""
_LEGIBLE = (1150, 650)
"""Points of a figure that is still read with ease on the page."""
_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parent.parent
PAGE = "page.html"
"""The name of a script's page, in its folder."""


@dataclass(frozen=True)
class Drawn:
    """A figure in one style: its size in points, and what did not come out as wished."""

    style: str
    size: tuple[int, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A script of the gallery and what was drawn of it, in the folder of its name.

    about: its first line. best: the style that is shown first. note: why some styles are left out, or nothing.
    peer: why there is no picture of torchviz's, or nothing.
    """

    name: str
    about: str
    source: str
    best: str
    drawn: tuple[Drawn, ...]
    note: str = ""
    peer: str = ""


def make_entry(script: Path, folder: Path) -> Entry:
    """Run a script, draw it in every style and theme, and have torchviz draw it."""
    own = folder / script.stem
    own.mkdir(parents=True, exist_ok=True)
    run_python(["-m", "inspector", "--quiet", "-f", "dot", "-o", f"{own}/", str(script)])
    report = diagnose_report(load(own / "report.json"))
    mark_graph(report)
    call = report.calls[0]
    peer = _draw_peer(script, own)
    source = script.read_text("utf-8")
    about = (ast.get_docstring(ast.parse(source)) or script.stem).splitlines()[0]
    count = sum(1 for _ in call.graph.functions())
    styles = STYLE_NAMES if count <= MOST_NODES else ("modules",)
    note = "" if count <= MOST_NODES else f"the other styles would draw all of the {count:,} Nodes"
    drawn = tuple(_draw(call, style, own) for style in styles)
    still = still_of(draw(call.graph, call=call.location["code"]).scene, "light")
    (own / PAGE).write_bytes(write_page(call, PageSource(report, {script.name: source}), still=still))
    best = _best(drawn, count <= MOST_UNFOLDED)
    return Entry(script.stem, about, without_docstring(source), best, drawn, note, peer)


def picture(style: str, theme: str) -> str:
    """The name of a picture's file."""
    return f"{style}.{theme}.svg"


def _best(drawn: Sequence[Drawn], few: bool) -> str:
    """The style that is shown first: that of small graphs as long as it is legible, then one that needs less."""
    if not few:
        return "modules"
    (width, height) = next(one.size for one in drawn if one.style == "attributes")
    return "attributes" if width <= _LEGIBLE[0] and height <= _LEGIBLE[1] else "circuit"


def _draw(call: BackwardCall, style: str, folder: Path) -> Drawn:
    look, code = FigureOptions(style=style), call.location["code"]
    figure = draw(call.graph, look, call=code)
    scene = list(figure.panels.values())[-1]
    for theme in THEMES:
        (folder / picture(style, theme)).write_bytes(write_scenes("svg", [scene], theme=theme))
    return Drawn(style, (round(scene.width), round(scene.height)), figure.remarks)


def _draw_peer(script: Path, folder: Path) -> str:
    """Have torchviz draw a script; why it could not, as one line, or nothing."""
    arguments = [str(_HERE / "torchviz_picture.py"), str(script)]
    try:
        (folder / "torchviz.svg").write_bytes(run_python(arguments, PEER_LIMIT))
    except subprocess.TimeoutExpired:
        return f"stopped after {PEER_LIMIT} seconds"
    except subprocess.CalledProcessError as failure:
        said = [line.strip() for line in failure.stderr.decode(errors="replace").splitlines() if line.strip()]
        return said[-1] if failure.returncode > 0 and said else f"ended with status {failure.returncode}"
    return ""


def run_python(arguments: list[str], limit: float | None = None) -> bytes:
    """What python printed. Raises CalledProcessError where it failed, TimeoutExpired after `limit` seconds."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True, timeout=limit)
    return done.stdout


def without_docstring(source: str) -> str:
    """A script without the docstring at its top."""
    first = ast.parse(source).body[0]
    lines = source.splitlines()
    return "\n".join(lines[first.end_lineno or 0 :]).strip() if isinstance(first, ast.Expr) else source.strip()
