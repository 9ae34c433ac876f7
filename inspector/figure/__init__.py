"""Figures: a Graph in a style becomes Scenes with places in points. Needs no torch."""

from inspector.figure.drawing import Figure, draw, draw_plans, frames

__all__ = ["Figure", "draw", "draw_plans", "frames"]
