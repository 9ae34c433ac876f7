"""The doors for notebooks, tests and other programs: trace, draw, record, load."""
