# ruff: noqa: RUF001 (the signs are those of mathematics)
"""The console: rich on stderr, one line at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from inspector.typography.number_format import MINUS
from inspector.util.stderr import stderr

_NARROWEST, _WIDEST = 80, 100
_SIGNS = str.maketrans(f"{MINUS}├└│─→↓·×∂…–▁▂▃▅▇⊙δ", "-|`|->v**d.-_.-=#*d")
_WORDS = {"σ": "sigmoid", "√": "sqrt", "π": "pi", "∞": "inf", "ᵀ": "^T", "Σ": "sum"}
_POWERS = {digit: f"^{number}" for number, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_PASSES = {digit: f"_{number}" for number, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_BEYOND_ASCII: dict[int, int | str] = {**_SIGNS}
_BEYOND_ASCII.update({ord(sign): word for sign, word in (_WORDS | _POWERS | _PASSES).items()})


def stderr_console(stream: TextIO | None = None) -> Console:
    """A console on stderr. If it is not a terminal: no colour, and 80 to 100 columns (by COLUMNS).

    stream: stderr at the start of the command, which a script may have replaced. Without stderr the console
    discards its output, since rich would use stdout, which belongs to the script.
    """
    console = Console(
        file=stream if stream is not None else stderr(),
        highlight=False,
        markup=False,
        emoji=False,
        force_jupyter=False,  # else rich shows it as an output of the cell, besides
    )
    if not console.is_terminal:
        console.width = min(max(console.width, _NARROWEST), _WIDEST)
    return console


def print_lines(console: Console, lines: Iterable[Text]) -> None:
    """Print the lines unchanged (not wrapped, cropped or parsed as markup), with tqdm's bars cleared.

    If the encoding of the stream is not UTF (LC_ALL=C, an old Windows console), symbols are replaced by ASCII.
    """
    narrow = not console.encoding.lower().startswith("utf")
    with _clear_of_bars():
        for line in lines:
            if narrow:
                line.plain = line.plain.translate(_BEYOND_ASCII)
            console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)


def _clear_of_bars() -> contextlib.AbstractContextManager[object]:
    """Clear the script's running tqdm bars from the screen, and draw them again afterwards."""
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
    write_mode = getattr(bars, "external_write_mode", None)
    return contextlib.nullcontext() if write_mode is None else write_mode(file=sys.stderr)
