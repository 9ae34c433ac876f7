"""`inspect doctor`: show the installed versions, whether figures can be drawn, and what this torch offers."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inspector import __version__
from inspector.util.dependencies import requirements

_OPTIONAL = "slides"
"""The extra with the dependencies of some formats."""
_NEWEST_TESTED = (2, 15)
"""The newest release of torch that was tested."""


def doctor() -> int:
    """Print the versions, the layout engine, which `inspect` is on PATH, and torch's capabilities.

    Returns 1 if a package or the layout engine is missing, but not for a missing capability of torch.
    """
    lines = [("autograd-inspector", __version__, ""), ("python", platform.python_version(), sys.executable)]
    lines += [(name, *_package(name)) for name in requirements()]
    lines += [(name, *_optional(name)) for name in requirements(_OPTIONAL)]
    lines.append(("layout engine", *_layout()))
    lines.append(("inspect on PATH", *_on_path()))
    for name, state, remark in lines:
        print(f"{name:20} {state:12} {remark}".rstrip())
    if _package("torch")[0] != "missing":
        _print_capabilities()
    return 1 if any(state == "missing" for _, state, _ in lines) else 0


def _package(name: str) -> tuple[str, str]:
    try:
        found = version(name)
    except PackageNotFoundError:
        return "missing", f"pip install {name}"
    if name == "torch" and _release(found) > _NEWEST_TESTED:
        return found, f"newer than the releases that were tested, up to {_NEWEST_TESTED[0]}.{_NEWEST_TESTED[1]}"
    return found, ""


def _release(version: str) -> tuple[int, ...]:
    """(2, 15) for `2.15.0+cpu`."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _print_capabilities() -> None:
    """Print a table of torch's undocumented interfaces: whether each is available, and what is lost without it."""
    from rich.console import Console
    from rich.table import Table

    try:
        from inspector.torch_api import CAPABILITIES
    except Exception as error:
        print(f"\ntorch cannot be imported: {error}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("torch capability", max_width=28)
    table.add_column("")
    table.add_column("without it")
    for capability in CAPABILITIES:
        table.add_row(capability.name, "available" if capability.is_available else "missing", capability.lost)
    print()
    Console(file=sys.stdout, highlight=False).print(table)


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
        is_this_package = b"inspector" in file.read(4096)
    return ("ours", found) if is_this_package else ("another", f"{found}; use `inspect-autograd`")
