"""`inspect doctor`: show the installed versions, and whether figures can be drawn."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inspector import __version__
from inspector.util.dependencies import requirements

_OPTIONAL = "slides"
"""The extra for the formats with optional dependencies."""
_TESTED_TORCH = "2.13"


def doctor() -> int:
    """Print the versions, the layout engine and which `inspect` is on PATH; return 1 if something is missing."""
    lines = [("autograd-inspector", __version__, ""), ("python", platform.python_version(), sys.executable)]
    lines += [(name, *_package(name)) for name in requirements()]
    lines += [(name, *_optional(name)) for name in requirements(_OPTIONAL)]
    lines.append(("layout engine", *_layout()))
    lines.append(("inspect on PATH", *_on_path()))
    for name, state, remark in lines:
        print(f"{name:20} {state:12} {remark}".rstrip())
    return 1 if any(state == "missing" for _, state, _ in lines) else 0


def _package(name: str) -> tuple[str, str]:
    try:
        found = version(name)
    except PackageNotFoundError:
        return "missing", f"pip install {name}"
    if name == "torch" and not found.startswith(_TESTED_TORCH):
        return found, f"tested with {_TESTED_TORCH}"
    return found, ""


def _optional(name: str) -> tuple[str, str]:
    state, remark = _package(name)
    if state == "missing":
        return "none", f'needed for some formats: pip install "autograd-inspector[{_OPTIONAL}]"'
    return state, remark


def _layout() -> tuple[str, str]:
    try:
        import pygraphviz  # type: ignore[import-untyped]

        graph = pygraphviz.AGraph(directed=True)
        graph.add_edge("root", "leaf")
        graph.layout("dot")
    except (ImportError, OSError, ValueError) as error:
        return "missing", f"{error}; pip install --force-reinstall pygraphviz"
    return "works", "Graphviz, through pygraphviz"


def _on_path() -> tuple[str, str]:
    found = shutil.which("inspect")
    if found is None:
        return "none", "use `inspect-autograd` or `python -m inspector`"
    with Path(found).open("rb") as file:
        ours = b"inspector" in file.read(4096)
    return ("ours", found) if ours else ("another", f"{found}; use `inspect-autograd`")
