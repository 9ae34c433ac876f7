"""Run the user's script as ``__main__``, like ``python script.py``, and end the process in the same way.

The order of a whole run, for the caller::

    try:
        exit = run_script(ScriptTarget("train.py", None, ("--epochs", "3")), on_torch=start_watching)
    except ScriptError as error:
        ...                        # nothing ran: one line for stderr, exit status 2
    if not exit.forked:
        with our_modules():
            ...                    # write what was recorded
    finish(exit)

Known differences to plain python: the stack is a few frames deeper (`traceback.print_stack`, the depth of a
RecursionError), `sys.modules` contains more modules, and no garbage is collected while torch is
imported (`inspector.util.gc_pause`).
"""

from inspector.runscript.runner import run_script, wait_for_torch
from inspector.runscript.script_exit import ScriptExit, finish, stop_script
from inspector.runscript.sys_modules_isolation import our_modules
from inspector.runscript.target import ScriptError, ScriptTarget

__all__ = [
    "ScriptError",
    "ScriptExit",
    "ScriptTarget",
    "finish",
    "our_modules",
    "run_script",
    "stop_script",
    "wait_for_torch",
]
