"""`python cli.py script.py`, from a checkout: the same program as `inspect`. Never installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from inspector.cli import run

if __name__ == "__main__":
    run()
