"""Styles: what a picture of a Graph shows. Each is a function from a Graph and a moment to a Plan."""

from __future__ import annotations

from collections.abc import Callable

from inspector.graph import Graph
from inspector.graph.model import Moment
from inspector.styles.attributes import plan_attributes
from inspector.styles.description import call_code, figure_title, gradient_table
from inspector.styles.plan import Plan

Style = Callable[[Graph, Moment, str], Plan]
"""(graph, moment, code of the backward call or an empty text) → what that moment shows."""

STYLES: dict[str, Style] = {
    "attributes": plan_attributes,
}

__all__ = ["STYLES", "Plan", "Style", "call_code", "figure_title", "gradient_table"]
