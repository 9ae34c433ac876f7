"""Keeps our functions from Dynamo, which looks at every frame while compiled code of the user's runs.

A private interface of torch, without effect on a script that compiles nothing: left out where it has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def unseen(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of ours, and all that it calls, where Dynamo does not look."""
    evaluation = torch._C._dynamo.eval_frame
    previous = evaluation.set_eval_frame(None)
    try:
        return function(*arguments)
    finally:
        evaluation.set_eval_frame(previous)


def hide_alone(*functions: Callable[..., Any]) -> None:
    """Let Dynamo not look at these functions; what they call it sees as it would without them."""
    evaluation = torch._C._dynamo.eval_frame
    try:
        skip, default = evaluation._FrameAction.SKIP, evaluation._FrameAction.DEFAULT
        strategy = evaluation._FrameExecStrategy(skip, default)
        for function in (*functions, unseen):
            evaluation.set_code_exec_strategy(function.__code__, strategy)
    except AttributeError:
        return
