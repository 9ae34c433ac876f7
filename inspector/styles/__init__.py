"""Styles: the content of a picture. Each is a function from a Subject (a Graph at one moment) to a Plan."""

from inspector.styles.alt_text import call_code, figure_title, gradient_table
from inspector.styles.plan import Plan
from inspector.styles.table import STYLES, Style, find_style

__all__ = ["STYLES", "Plan", "Style", "call_code", "figure_title", "find_style", "gradient_table"]
