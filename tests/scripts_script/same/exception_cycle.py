one, two = ValueError("one"), ValueError("two")
one.__context__, two.__cause__ = two, one
raise one
