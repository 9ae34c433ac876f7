"""The user's program as text and as running frames: whose file it is, names, statements, modules."""
