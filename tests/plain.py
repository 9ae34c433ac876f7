"""The entry of the fork server for a script without us: `python SCRIPT ARGS`, torch imported already."""

import sys
from pathlib import Path
from types import ModuleType


def run() -> None:
    sys.argv = sys.argv[1:]
    path = Path.cwd() / sys.argv[0]
    sys.path[0] = str(path.parent)
    main = ModuleType("__main__")
    main.__dict__.update(__file__=str(path), __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main
    show = sys.excepthook

    def excepthook(kind, error, trace):
        while trace is not None and trace.tb_frame.f_globals is not main.__dict__:
            trace = trace.tb_next  # the server's frames and this one
        show(kind, error.with_traceback(trace), trace)

    sys.excepthook = excepthook
    exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), main.__dict__)
