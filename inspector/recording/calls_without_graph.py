"""Backward calls whose roots do not require a gradient."""

from __future__ import annotations

import linecache
import re
from types import FrameType

from inspector.graph.row_types import Source
from inspector.graph.values import Unknown
from inspector.report.row_types import EventRow
from inspector.user_code.variable_names import Names

_GRAD_ACCESS = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.grad\b")
"""`coeffs.grad` in the text of a script. Group 1: `coeffs`."""


def without_graph_event(
    frame: FrameType | None, location: Source | Unknown, names: Names, after_call: int
) -> EventRow:
    """The event of such a call. parameters: the tensors without requires_grad whose grad the script reads."""
    text = "" if frame is None else "".join(linecache.getlines(frame.f_code.co_filename))
    read = set(_GRAD_ACCESS.findall(text))
    named = [name for tensor, name, _ in names.rows() if not tensor.requires_grad]
    return {
        "event": "without_graph",
        "after_call": after_call,
        "optimizer": None,
        "source": location,
        "parameters": [name for name in named if name in read],
    }
