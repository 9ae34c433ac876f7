# ruff: noqa: B904
def first():
    raise KeyError("a")


def second():
    try:
        first()
    except KeyError as error:
        raise ValueError("b") from error


try:
    second()
except ValueError:
    error = RuntimeError("c")
    error.add_note("a note")
    raise error
