"""`python -m inspector`: the same program as `inspect`."""

import os
import sys

if not getattr(sys.flags, "safe_path", False):
    # python put the working directory first on sys.path; the installed command does not import modules from it.
    sys.path[0] = os.path.dirname(sys.executable)  # noqa: PTH120 (pathlib would be looked for there)

from inspector.cli import run

if __name__ == "__main__":
    run()
