"""The public functions for notebooks, tests and other programs: trace, draw, record, load."""
