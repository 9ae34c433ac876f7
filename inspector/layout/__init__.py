"""Layout: boxes of known sizes and their wires get places, in points. It knows sizes and wires, no Graph and no
text."""
