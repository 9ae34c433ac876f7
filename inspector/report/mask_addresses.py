"""Mask addresses in exception texts, so that every run gives the same text."""

from __future__ import annotations

import re

# Six digits or more: `<object at 0x7f3a5c1d2e80>` is an address, `invalid byte 0xff` is not.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def mask_addresses(text: str) -> str:
    """Replace every memory address in `text` by `0x…`."""
    return _ADDRESS.sub("0x…", text)
