"""The choices that a user has, as values. Imports nothing of ours."""
