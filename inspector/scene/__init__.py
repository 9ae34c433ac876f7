"""The Scene: everything that is drawn, in points, with nothing left of the Graph."""

from inspector.scene.scene import Badge, Band, Box, Flow, Panel, Rectangle, Scene, TextRun, Wire

__all__ = ["Badge", "Band", "Box", "Flow", "Panel", "Rectangle", "Scene", "TextRun", "Wire"]
