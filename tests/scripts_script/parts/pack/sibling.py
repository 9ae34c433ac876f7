NAME = "sibling"


def fail():
    raise ValueError("in a package")
