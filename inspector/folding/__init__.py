"""Folding: turn a Graph into a smaller Graph without losing a Node. No torch needed.

Foldings compose: `fold(hide_tensor_views(graph))` folds a graph without its transposes. `unfold` undoes all of
them.
"""

from inspector.folding.by_merging_neighbours import merge_neighbours
from inspector.folding.depth import fold, open_box, unfold
from inspector.folding.finding_marks import finding_marks
from inspector.folding.folded_graph import FoldedGraph
from inspector.folding.hide_tensor_views import TENSOR_VIEWS, hide_tensor_views
from inspector.options.choices import Depth

__all__ = [
    "TENSOR_VIEWS",
    "Depth",
    "FoldedGraph",
    "finding_marks",
    "fold",
    "hide_tensor_views",
    "merge_neighbours",
    "open_box",
    "unfold",
]
