"""The options of a user, as values. Imports nothing else of the package."""
