"""Graphs of short programs, recorded in this process with their source text."""

from __future__ import annotations

import itertools
import os
import textwrap
from pathlib import Path
from typing import Any

from inspector.graph import Graph

_HEAD = "import inspector, torch\nimport torch.nn.functional as F\nwith inspector.record() as recording:\n"
_numbers = itertools.count()


def recorded(folder: Path, text: str) -> tuple[Graph, dict[str, Any]]:
    """The graph of the first backward call of a program, and its variables at its end.

    folder: where the program is written, since names and expressions come from its text.
    """
    path = folder / f"program{next(_numbers)}.py"
    path.write_text(_HEAD + textwrap.indent(textwrap.dedent(text), "    "))
    names: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)  # the user's files are those in the working directory
    try:
        exec(compile(path.read_text(), str(path), "exec"), names)
    finally:
        os.chdir(before)
    return names["recording"].calls[0].graph, names
