"""Plots of a graph: the root along its scalar leaves, and gradient norms by layer. No torch needed."""

from inspector.plots.curve_plot import plot_graph
from inspector.plots.layer_norms_plot import plot_layers
from inspector.plots.leaf_curves import why_no_plot

__all__ = ["plot_graph", "plot_layers", "why_no_plot"]
