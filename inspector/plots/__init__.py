"""The slope at a point: the root of a graph along its scalar leaves, with the tangent. Needs no torch."""

from inspector.plots.draw import plot_graph
from inspector.plots.slices import why_no_plot

__all__ = ["plot_graph", "why_no_plot"]
