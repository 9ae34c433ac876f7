"""The tests of `levels_of_the_recorder.py`, in a process of their own, in which nothing was recorded before."""

from __future__ import annotations

import subprocess
import sys

from running import HERE


def test_levels_in_a_process_of_their_own() -> None:
    tests = str(HERE / "levels_of_the_recorder.py")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", tests]
    ran = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
