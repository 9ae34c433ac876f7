"""The terminal output for a backward call, on stderr."""

from inspector.terminal.console import stderr_console
from inspector.terminal.print_call import (
    lines,
    show,
    show_files,
    show_gradcheck,
    show_hint,
    show_timeline,
    show_watched,
)

__all__ = [
    "lines",
    "show",
    "show_files",
    "show_gradcheck",
    "show_hint",
    "show_timeline",
    "show_watched",
    "stderr_console",
]
