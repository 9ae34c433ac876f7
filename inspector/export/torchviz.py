"""torchviz's own picture as SVG: Graphviz draws torchviz's DOT text, in a separate process.

dot lays out every Node with its text label, which can take minutes and has crashed.
"""

from __future__ import annotations

import subprocess
import sys

from inspector.layout.errors import LayoutFailed
from inspector.util.exit_status import describe_exit_status

TIME_LIMIT = 20.0
"""Seconds."""

_RENDER = """
import sys, pygraphviz
source = sys.stdin.buffer.read().decode("utf-8")
sys.stdout.buffer.write(pygraphviz.AGraph(string=source).draw(format="svg", prog="dot"))
"""


def write_original(source: str, *, limit: float = TIME_LIMIT) -> bytes:
    """The picture as an SVG file. source: DOT text.

    Raises LayoutFailed if Graphviz fails or takes longer than `limit` seconds.
    """
    command = [sys.executable, "-P", "-c", _RENDER]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise LayoutFailed(f"Graphviz was stopped after {limit:g} seconds") from None
    except OSError as error:
        raise LayoutFailed(f"cannot start a process to draw it ({error})") from error
    if done.returncode or not done.stdout.rstrip().endswith(b"</svg>"):
        raise LayoutFailed(f"the drawing process {describe_exit_status(done.returncode)}")
    return done.stdout
