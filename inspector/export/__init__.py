"""Exports: Scenes (or the Graph itself) as the bytes of a file, one module a format. None of them needs torch."""

from inspector.export.formats import WRITERS, Format, format_of, write_graph, write_scenes

__all__ = ["WRITERS", "Format", "format_of", "write_graph", "write_scenes"]
