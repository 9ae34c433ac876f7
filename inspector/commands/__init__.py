"""The commands, run after their options are parsed: inspect a script, redraw a report, check the installation."""
