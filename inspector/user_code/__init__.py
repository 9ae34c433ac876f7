"""The user's program, as source text and as running frames: files, names, statements, modules."""
