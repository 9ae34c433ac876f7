# arguments: --epochs 3 -- x
import atexit
import inspect
import sys
import warnings

print({name: value for name, value in list(globals().items()) if name not in ("sys", "atexit", "inspect")})
print(list(globals()))
print(sys.argv, sys.path[0], sys.orig_argv[1:], sys.modules["__main__"].__dict__ is globals())
print(__loader__.path, type(__builtins__).__name__)


class Widget:
    pass


def at_end():
    print("at the end", "__file__" in globals(), "__cached__" in globals())
    print(sys.modules["__main__"].Widget is Widget, sys.argv)


print(inspect.getsource(Widget), inspect.getsourcefile(Widget))
atexit.register(at_end)
warnings.warn("here", stacklevel=1)
warnings.warn("past the script", stacklevel=2)
