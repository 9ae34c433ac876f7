"""Runs the user's script as ``__main__``, as ``python script.py`` would, and ends the process as it would.

The order of a whole run, for the caller::

    try:
        exit = run_script(Target("train.py", None, ("--epochs", "3")), on_torch=start_watching)
    except ScriptError as error:
        ...                        # nothing ran: one line for stderr, exit status 2
    if not exit.forked:
        with our_modules():
            ...                    # write what was recorded
    finish(exit)

What differs from plain python, and stays so: the stack is a few frames deeper (`traceback.print_stack`,
the depth at which a RecursionError comes) and `sys.modules` holds more modules.
"""

from inspector.script.ending import Exit, finish, stop_script
from inspector.script.modules import our_modules
from inspector.script.runner import run_script
from inspector.script.target import ScriptError, Target

__all__ = ["Exit", "ScriptError", "Target", "finish", "our_modules", "run_script", "stop_script"]
