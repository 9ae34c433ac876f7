"""The Scene: everything that is drawn, in points, independent of the Graph."""

from inspector.scene.scene import Badge, Band, Box, Panel, Rectangle, Scene, TextRun, WeightedWire, Wire

__all__ = ["Badge", "Band", "Box", "Panel", "Rectangle", "Scene", "TextRun", "WeightedWire", "Wire"]
