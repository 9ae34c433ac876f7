"""The options of the command and the library, as values. Imports no other package of the inspector."""
