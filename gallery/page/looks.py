"""The colours of the figures as CSS variables."""

from __future__ import annotations

from inspector.scene.theme import THEMES


def colours(theme: str) -> str:
    """A theme as declarations: `--ink: #222222; …`."""
    return " ".join(f"--{ink.replace('_', '-')}: {colour};" for ink, colour in THEMES[theme].items())
