"""What the rules ask of a backward call: origins of NaN and zeros, norms along paths, what feeds what."""
