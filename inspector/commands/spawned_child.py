"""A spawned child process of an inspected script, from before it imports the script.

It imports little: most children are workers of a data loader, and no ranks.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from inspector.runscript import wait_for_torch
from inspector.util.stderr import say


def begin(given: bytes) -> None:
    """Wait for torch, and then for the process group. given: the pickled target and options of the script."""
    target, options = pickle.loads(given)

    def on_torch() -> None:
        from inspector.commands.run_script import wait_for_rank

        wait_for_rank(target, options, set())

    folder = str(Path.cwd() if target.path is None else Path(target.path).resolve().parent)
    wait_for_torch(folder, sys.path.copy(), on_torch, say)
