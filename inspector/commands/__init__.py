"""What the command does once its options are parsed: inspect a script, draw a saved inspection, look at itself."""
