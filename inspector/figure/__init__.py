"""Figures: a Graph drawn in a style becomes Scenes with positions in points. No torch needed."""

from inspector.figure.drawing import Figure, draw, frames

__all__ = ["Figure", "draw", "frames"]
