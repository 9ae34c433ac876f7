"""The user's program as text and as running frames: files, names, statements, modules."""
