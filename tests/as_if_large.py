"""Importing it has every graph recorded as a large one: in full in the calls that are drawn, lightly in the others."""

from inspector.recorder import session

session.SMALL_NODES = 0
