"""Layout in a child process, so that a crash or hang of the engine does not affect the user's program.

The child reads a pickled Problem from stdin and writes a pickled Placement, or the text of an error, to stdout. It
never imports torch.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from inspector.layout.errors import LayoutFailed
from inspector.layout.layered import place
from inspector.layout.problem import Placement, Problem
from inspector.util.child_python import python_command
from inspector.util.exit_status import describe_exit_status

TIME_LIMIT = 60.0
"""Seconds."""

# The package is loaded from its own folder: the user's folder may contain another `inspector`.
_LAUNCHER = """
import importlib.util, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "inspector", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["inspector"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from inspector.layout.subprocess_layout import main
main()
"""
COMMAND = python_command(_LAUNCHER, str(Path(__file__).resolve().parent.parent))


def place_in_subprocess(
    problem: Problem, *, limit: float = TIME_LIMIT, command: Sequence[str] = COMMAND
) -> Placement:
    """`place(problem)`, computed by a child process.

    limit: seconds until it is stopped. command: the command to run instead, for tests.
    Raises LayoutFailed if it crashes, is stopped or fails.
    """
    try:
        done = subprocess.run(
            command, input=pickle.dumps(problem), capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise LayoutFailed(f"layout was stopped after {limit:g} seconds") from None
    except OSError as error:
        raise LayoutFailed(f"cannot start the layout process ({error})") from error
    if done.returncode:
        raise LayoutFailed(f"the layout process {describe_exit_status(done.returncode)}")
    try:
        answer = pickle.loads(done.stdout)
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
        raise LayoutFailed("the layout process gave no answer") from error
    if not isinstance(answer, Placement):
        raise LayoutFailed(str(answer))
    return answer


def main() -> None:
    """Solve one Problem: the entry point of the child."""
    problem = pickle.load(sys.stdin.buffer)
    answer: Placement | str
    try:
        answer = place(problem)
    except LayoutFailed as failure:
        answer = str(failure)
    pickle.dump(answer, sys.stdout.buffer)
