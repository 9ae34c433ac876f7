"""The options of the command and the library, as values. Imports no other package of the inspector."""

from inspector.options.choices import CHOICES, DETAILS, STYLE_NAMES, check_choice
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import Presentation

__all__ = ["CHOICES", "DETAILS", "STYLE_NAMES", "FigureOptions", "Presentation", "check_choice"]
