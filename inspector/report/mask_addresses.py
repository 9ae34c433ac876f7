"""Mask addresses in exception texts, so that every run gives the same text."""

from __future__ import annotations

import re

# Six digits or more: `<object at 0x7f3a5c1d2e80>` is an address, `invalid byte 0xff` is not.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def mask_addresses(text: str) -> str:
    """`text` with `0x…` in the place of every memory address, so that two runs compare."""
    return _ADDRESS.sub("0x…", text)
