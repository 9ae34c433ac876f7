"""Layout: positions, in points, for boxes of known sizes and their wires. Knows neither Graphs nor text."""
