"""`--open`: show the page in a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from inspector.util.stderr import say


def open_page(files: Sequence[Path]) -> None:
    """Open the first page among these files. Prints a line if there is none, or no browser."""
    page = next((file for file in files if file.suffix == ".html"), None)
    if page is None:
        say("no page to open: add -f html")
    elif not webbrowser.open(page.as_uri()):
        say(f"no browser to open {page}")
