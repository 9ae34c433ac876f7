"""Write Scenes (or the Graph itself) as files, one module per format. No torch needed."""

from inspector.export.formats import WRITERS, Format, format_of, write_graph, write_scenes

__all__ = ["WRITERS", "Format", "format_of", "write_graph", "write_scenes"]
