x: int = 3
print(__annotations__, __doc__)
print(__import__("typing").get_type_hints(__import__("__main__")))
