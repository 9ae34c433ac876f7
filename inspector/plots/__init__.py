"""Plots: the root along its scalar leaves, gradient norms by layer, and the timeline of a run. No torch needed."""

from inspector.plots.curve_plot import plot_graph
from inspector.plots.layer_norms_plot import plot_layers
from inspector.plots.leaf_curves import why_no_plot
from inspector.plots.timeline_plot import plot_timeline

__all__ = ["plot_graph", "plot_layers", "plot_timeline", "why_no_plot"]
