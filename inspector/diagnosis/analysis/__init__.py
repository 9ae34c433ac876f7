"""Analyses shared by the rules: origins of NaN and zeros, norms along paths, upstream Nodes."""
