"""A progress indicator for work that takes longer than a second, on a terminal only and never over a tqdm bar."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from rich.console import Console

from inspector.util.stderr import has_bars

PATIENCE = 1.0
"""Seconds before anything is shown."""


@contextlib.contextmanager
def working(console: Console, text: str) -> Iterator[None]:
    """Show `text` with a spinner on the terminal's last line, if the block takes longer than a second."""
    if not console.is_terminal or has_bars():  # which a spinner would break
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
