"""`python -m inspector`: the same program as `inspect`."""

import os
import sys

if not getattr(sys.flags, "safe_path", False):
    # As for the installed command: python put the working directory there, whose modules are not ours to import.
    sys.path[0] = os.path.dirname(sys.executable)  # noqa: PTH120 (pathlib would be looked for there)

from inspector.cli import run

if __name__ == "__main__":
    run()
