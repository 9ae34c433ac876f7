"""Folding: turn a Graph into a smaller Graph without losing a Node. No torch needed.

A folded graph keeps a reference to the unfolded one (`whole_of`).
"""

from inspector.folding.by_merging_neighbours import merge_neighbours
from inspector.folding.depth import ROOMS, fold
from inspector.folding.finding_marks import finding_marks
from inspector.folding.folded_graph import FoldedGraph
from inspector.options.choices import Depth

__all__ = ["ROOMS", "Depth", "FoldedGraph", "finding_marks", "fold", "merge_neighbours"]
