"""Python child processes that import nothing from the current folder."""

from __future__ import annotations

import sys

# Like `-P` of Python 3.11. The folder may contain an `inspector`, or a module with the name of a standard one.
_WITHOUT_FOLDER = "import sys\nif sys.path[:1] == ['']: del sys.path[0]\n"


def python_command(code: str, *arguments: str) -> list[str]:
    """The command line of a process that runs `code`, with `arguments` as its `sys.argv[1:]`."""
    return [sys.executable, "-c", _WITHOUT_FOLDER + code, *arguments]
