"""The smallest command that runs a script: `python harness.py SCRIPT ARGS`, or `-m MODULE ARGS`.

What it says itself goes to the file that HARNESS_LOG names.
"""

import os
import sys
from pathlib import Path

from inspector.runscript import ScriptError, ScriptTarget, finish, our_modules, run_script


def say(text: str) -> None:
    if "HARNESS_LOG" in os.environ:
        with Path(os.environ["HARNESS_LOG"]).open("a") as log:
            print(text, file=log)


def on_torch() -> None:
    import torch

    import inspector

    say(f"torch {hasattr(getattr(torch, 'Tensor', None), 'backward')} {inspector.__name__}")
    if "HARNESS_FAIL" in os.environ:
        raise RuntimeError("deliberate")


def main() -> None:
    first, *rest = sys.argv[1:]
    target = (
        ScriptTarget(None, rest[0], tuple(rest[1:])) if first == "-m" else ScriptTarget(first, None, tuple(rest))
    )
    try:
        exit = run_script(target, on_torch=on_torch)
    except ScriptError as error:
        print(f"inspect: {error}", file=sys.stderr)
        sys.exit(2)
    with our_modules(), our_modules():
        import inspector.runscript

        ours = inspector.runscript.ScriptExit.__name__
        say(f"status {exit.status} {exit.describe()} {exit.stopped} {exit.forked} {ours}")
    finish(exit)


if __name__ == "__main__":
    main()
