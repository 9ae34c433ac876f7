"""Python child processes that import nothing from the current folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Like `-P` of Python 3.11. The folder may contain an `inspector`, or a module with the name of a standard one.
_WITHOUT_FOLDER = "import sys\nif sys.path[:1] == ['']: del sys.path[0]\n"


def python_command(code: str, *arguments: str) -> list[str]:
    """The command line of a process that runs `code`, with `arguments` as its `sys.argv[1:]`."""
    return [sys.executable, "-c", _WITHOUT_FOLDER + code, *arguments]


def child_environment() -> dict[str, str]:
    """The environment of such a process: this package is importable even from a checkout that is not installed.

    The interpreter settings of the script (`-W error` in PYTHONWARNINGS, a start-up file) are removed.
    """
    checkout = str(Path(__file__).resolve().parents[2])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return kept | {"PYTHONPATH": checkout, "PYTHONSAFEPATH": "1"}
