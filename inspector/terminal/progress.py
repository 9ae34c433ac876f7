"""A progress indicator for work that takes longer than a second, on a terminal only and never over a tqdm bar."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from rich.console import Console

PATIENCE = 1.0
"""Seconds before anything is shown."""


@contextlib.contextmanager
def working(console: Console, text: str) -> Iterator[None]:
    """Show `text` with a spinner on the terminal's last line, if the block takes longer than a second."""
    if not console.is_terminal or _has_bars():
        yield
        return
    status = console.status(text, spinner="line")
    timer = threading.Timer(PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def _has_bars() -> bool:
    """Whether the script has a tqdm bar on the screen, which the spinner would break."""
    return bool(getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "_instances", ()))
