"""Views: a Graph becomes a smaller Graph. None of them needs torch, none of them loses a Node.

Views compose: `fold(hide(graph))` folds a graph without its transposes. `unfold` undoes all of them at once.
"""

from inspector.look import Depth
from inspector.views.depth import fold, open_box, unfold
from inspector.views.folded import FoldedGraph
from inspector.views.hiding import VIEWS, hide
from inspector.views.joined import join
from inspector.views.marks import shown_marks
from inspector.views.reach import between, neighbourhood, on_paths, touched

__all__ = [
    "VIEWS",
    "Depth",
    "FoldedGraph",
    "between",
    "fold",
    "hide",
    "join",
    "neighbourhood",
    "on_paths",
    "open_box",
    "shown_marks",
    "touched",
    "unfold",
]
