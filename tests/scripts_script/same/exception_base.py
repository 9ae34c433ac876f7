# ruff: noqa: B904
class Own(BaseException):
    pass


class OwnInterrupt(KeyboardInterrupt):
    pass


try:
    raise Own("first")
except Own:
    raise OwnInterrupt("a subclass of KeyboardInterrupt ends with 1")
