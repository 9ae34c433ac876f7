"""torch.compile: whether it is in use, and how functions of the inspector stay invisible to it.

Dynamo examines every frame while compiled user code runs. A script that compiles nothing is not affected.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

import torch

from inspector.torch_api.capability import Capability
from inspector.torch_api.patch import Patch


class _Evaluation(NamedTuple):
    """How to tell Dynamo which frames to skip.

    look: sets the callback that evaluates frames (None: no callback) and returns the previous one. skip: makes
    Dynamo skip a code object, but not the functions it calls.
    """

    look: Callable[[Any], Any]
    skip: Callable[[CodeType], None]


def _find_evaluation() -> _Evaluation:
    evaluation = torch._C._dynamo.eval_frame
    look: Callable[[Any], Any] = evaluation.set_eval_frame
    look(look(None))  # what it returns can be set again
    try:
        skip, default = evaluation._FrameAction.SKIP, evaluation._FrameAction.DEFAULT
        strategy = evaluation._FrameExecStrategy(skip, default)
        return _Evaluation(look, functools.partial(_with_strategy, evaluation.set_code_exec_strategy, strategy))
    except AttributeError:
        return _Evaluation(look, vars(evaluation)["skip_code"])  # torch 2.6


def _with_strategy(set_strategy: Callable[[CodeType, Any], None], strategy: Any, code: CodeType) -> None:
    set_strategy(code, strategy)


FRAME_EVALUATION = Capability(
    "Dynamo switch", "torch.compile also compiles frames of the inspector", _find_evaluation
)


# Bound once: Dynamo would evaluate the frame of any Python function that `without_dynamo` calls before the
# callback is removed.
_look = FRAME_EVALUATION.parts.look if FRAME_EVALUATION.is_available and FRAME_EVALUATION.parts else None


def without_dynamo(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, and everything it calls, without Dynamo evaluating their frames."""
    if _look is None:
        return function(*arguments)
    try:
        previous = _look(None)
    except Exception as error:
        FRAME_EVALUATION.turn_off(error)
        return function(*arguments)
    try:
        return function(*arguments)
    finally:
        _look(previous)


def skip_in_dynamo(*functions: Callable[..., Any]) -> None:
    """Make Dynamo skip these functions; it evaluates the functions they call as usual."""
    parts = FRAME_EVALUATION.parts if FRAME_EVALUATION.is_available else None
    if parts is None:
        return
    try:
        for function in (*functions, without_dynamo):
            parts.skip(function.__code__)
    except Exception as error:
        FRAME_EVALUATION.turn_off(error)


class _Compiler(NamedTuple):
    backends: Callable[[], Any]
    callbacks: Callable[[], Any]
    entry_point: Callable[[], CodeType | None]
    eval_frame: Callable[[], ModuleType | None]


def _find_compiler() -> _Compiler:
    """Called before `torch._dynamo` is imported, which takes seconds, so missing parts only show in use."""
    return _Compiler(_backends, _callbacks, _entry_point, _eval_frame)


def _backends() -> Any:
    module = sys.modules.get(_EVAL_FRAME)
    return {} if module is None else module.cached_backends


def _callbacks() -> Any:
    """None while `torch._dynamo` is being imported."""
    return getattr(sys.modules.get("torch._dynamo"), "callback_handler", None)


def _entry_point() -> CodeType | None:
    module = sys.modules.get(_EVAL_FRAME)
    code: CodeType | None = None if module is None else module.OptimizeContext.__init__.__code__
    return code


def _eval_frame() -> ModuleType | None:
    return sys.modules.get(_EVAL_FRAME)


_EVAL_FRAME = "torch._dynamo.eval_frame"

COMPILER = Capability(
    "compilation records",
    "torch.compile is only detected where the script calls it, and lines are not traced after a compilation",
    _find_compiler,
)


def starts_compilation(code: CodeType) -> bool:
    """Whether a call of a function with this code means that the script compiles something.

    `torch._dynamo.disable`, which optimizers call, does not.
    """
    if not code.co_filename.endswith("eval_frame.py") or code.co_name not in ("__init__", "compile_wrapper"):
        return False
    if code.co_name == "compile_wrapper":
        return True
    return bool(_ask_compiler(lambda parts: parts.entry_point() is code))


def was_compiled() -> bool:
    """Whether something was prepared for compilation; an import of `torch._dynamo` alone does not count."""
    return bool(_ask_compiler(lambda parts: any(backend is not None for backend in parts.backends().values())))


def compiled_regions(enter: Callable[[], bool], leave: Callable[[], None]) -> list[Patch] | None:
    """Patches that call `enter` before a compiled function runs, while Dynamo evaluates no frames, and `leave`
    once it has ended, if `enter` returned True. They also call both around a compiled module's question for global
    hooks. None if Dynamo is not imported yet, or does not tell."""
    entered_by: list[int] = []  # in between, Dynamo switches itself off to compile, and for disabled code

    def evaluating(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(callback: Any, *arguments: Any) -> Any:
            caller = id(_caller())  # which is running, so the number is its own
            if callback is not None:
                if enter():
                    entered_by[:] = [caller]
                return original(callback, *arguments)
            previous = original(callback, *arguments)
            if entered_by and entered_by[0] == caller:
                entered_by.clear()
                leave()
            return previous

        return call

    def asking(original: Callable[[], bool]) -> Callable[[], bool]:
        def call() -> bool:
            entered = enter()
            try:
                return original()
            finally:
                if entered:
                    leave()

        return call

    places = (
        (_ask_compiler(lambda parts: parts.eval_frame()), "_maybe_set_eval_frame", evaluating),
        (torch.nn.modules.module, "_has_any_global_hook", asking),
    )
    if not all(hasattr(module, name) for module, name, _ in places):
        return None
    return [Patch((module,), name, wrapped) for module, name, wrapped in places]


def _caller() -> FrameType | None:
    """The frame that called a patch of this module, which may call another one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def on_compilation_end(function: Callable[..., None]) -> Callable[[], None] | None:
    """Call `function` after each compilation. Returns a function that ends this; None if Dynamo is not imported
    yet or has no such callback."""

    def register(parts: _Compiler) -> Callable[[], None] | None:
        handler = parts.callbacks()
        if handler is None:
            return None
        handler.register_end_callback(function)

        def end() -> None:
            if function in handler.end_callbacks:
                handler.remove_end_callback(function)

        return end

    end: Callable[[], None] | None = _ask_compiler(register)
    return end


def _ask_compiler(question: Callable[[_Compiler], Any]) -> Any:
    parts = COMPILER.parts
    if parts is None:
        return None
    try:
        return question(parts)
    except Exception as error:
        COMPILER.turn_off(error)
        return None
