"""Importing it has every graph recorded as a large one: in full where it is drawn, lightly in the other calls."""

from inspector.recording import watch_plan

watch_plan.SMALL_NODES = 0
