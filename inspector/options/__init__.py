"""The options of a user, as values. Imports nothing else of the package."""

from inspector.options.choices import CHOICES, DETAILS, STYLE_NAMES, check_choice
from inspector.options.figure_options import FigureOptions

__all__ = ["CHOICES", "DETAILS", "STYLE_NAMES", "FigureOptions", "check_choice"]
