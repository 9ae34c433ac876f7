"""Importing it has every graph recorded as a large one: in full where it is drawn, lightly in the other calls."""

from inspector.recording import session

session.SMALL_NODES = 0
