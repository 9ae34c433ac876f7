"""`--gradcheck`: check custom Functions at the inputs that the script used.

The first calls of each Function are recorded: double precision copies of its tensors, and all other arguments as
given. Afterwards torch's gradcheck runs the user's forward and backward on them. Only here does user code run that
the script did not call, so it must be requested.
"""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import torch
from msgspec import Struct
from torch.autograd.gradcheck import GradcheckError

from inspector.graph.node_names import name_of_custom
from inspector.report import BackwardCall, Check, Finding, mask_addresses
from inspector.torch_api.gradcheck import without_second_pass
from inspector.torch_api.modes import hidden
from inspector.torch_api.patch import Patch
from inspector.torch_api.tracers import is_tracing
from inspector.user_code.paths import UserFiles

RULE = "wrong-backward"

_CALLS_OF_ONE = 2
"""Number of calls of one Function that are checked; a second may have other arguments."""

_ONE_BY_ONE = 256
"""Maximum elements of all inputs for comparing every derivative, which runs the forward twice for each."""

_MOST_ELEMENTS = 1 << 20
"""Maximum elements of all inputs for comparing the derivative along one random direction (gradcheck's fast mode).
Larger calls are not checked, since the inputs are kept in double precision until the check."""

_ABSOLUTE, _RELATIVE = 1e-9, 1e-5
"""Tolerances for one direction. gradcheck allows it the absolute errors of all elements together: with its 1e-5
a wrong derivative of 1,000 elements passes. Finite differences in double precision are as good as these."""

Status = Literal["agrees", "disagrees", "not checked"]


class FunctionCheck(Struct, frozen=True):
    """One call of a custom Function. reason: gradcheck's message, or why it was not checked.

    source: the line that called it.
    """

    name: str
    source: Any
    status: Status
    reason: str = ""


class _FunctionCall(Struct, frozen=True):
    function: type[Any]
    arguments: tuple[Any, ...]
    source: Any
    elements: int  # of all inputs together


class CustomFunctions:
    """Records the calls of `torch.autograd.Function.apply` from `install` to `remove`."""

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._calls: list[_FunctionCall] = []
        self._patch = Patch((torch.autograd.Function,), "apply", self._noting)

    def install(self) -> None:
        """Install the wrapper."""
        self._patch.install()

    def remove(self) -> None:
        """Remove the wrapper. If other code has wrapped it since, it stays and only passes calls on."""
        self._patch.uninstall()

    def _noting(self, original: Any) -> Any:
        def apply(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
            if not kwargs and not is_tracing():
                with contextlib.suppress(Exception), hidden():  # an internal error must not reach the script
                    self._note(cls, args)
            return original.__get__(None, cls)(*args, **kwargs)  # a classmethod, in Python or in C

        return classmethod(apply)

    def check(self) -> list[FunctionCheck]:
        """Run gradcheck on the recorded calls. The state of torch's random numbers is restored afterwards."""
        calls, self._calls = self._calls, []
        return [_checked(call) for call in calls]

    def _note(self, function: type[Any], args: tuple[Any, ...]) -> None:
        known = [call for call in self._calls if call.function is function]
        if not self._patch.is_installed or len(known) >= _CALLS_OF_ONE:
            return
        tensors = [item for item in args if isinstance(item, torch.Tensor)]
        if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
            return
        source = self._source()
        if source is None:
            return
        elements = sum(tensor.numel() for tensor in tensors)
        copies = () if elements > _MOST_ELEMENTS else tuple(_copied(item) for item in args)
        self._calls.append(_FunctionCall(function, copies, source, elements))

    def _source(self) -> dict[str, Any] | None:
        """The user's line that is running; None if a library calls its own Function."""
        frame = sys._getframe(3)
        if not self._files.is_users(frame.f_code.co_filename):
            return None
        path, line = frame.f_code.co_filename, frame.f_lineno
        return {"file": self._files.display_path(path), "line": line, "code": self._files.statement_at(path, line)}


def rows_of(results: list[FunctionCheck], calls: list[BackwardCall]) -> tuple[list[Finding], list[Check]]:
    """The rows for a report: a finding for each Function with a wrong backward, else what was checked.

    calls: the backward calls of the report; a finding names the Nodes of the first call that contains the
    Function.
    """
    wrong = {result.name: result for result in reversed(results) if result.status == "disagrees"}
    if wrong:
        return [_finding(result, calls) for result in reversed(wrong.values())], []
    if any(result.status == "agrees" for result in results):
        return [], [Check(rule=RULE, status="nothing found", reason=None)]
    reason = results[0].reason if results else "the script called no custom Function"
    return [], [Check(rule=RULE, status="not checked", reason=reason)]


def _finding(result: FunctionCheck, calls: list[BackwardCall]) -> Finding:
    index, nodes = None, []
    for call in calls:
        nodes = [key for key, row in call.graph.functions() if row["name"] == name_of_custom(result.name)]
        if nodes:
            index = call.index
            break
    return Finding(
        rule=RULE,
        severity="error",
        message=f"the backward of {result.name} is not the derivative of its forward: {result.reason}",
        advice=f"fix {result.name}.backward, unless it is a deliberate surrogate (a straight-through estimator)",
        location=result.source,
        backward_call=index,
        nodes=nodes,
        parameters=[],
        evidence={},
    )


def _copied(item: Any) -> Any:
    """A copy in double precision; integers and flags keep their dtype, other arguments are returned as given."""
    if not isinstance(item, torch.Tensor):
        return item
    copy = item.detach().clone()
    if item.is_complex():
        return copy.to(torch.complex128).requires_grad_(item.requires_grad)
    return copy.double().requires_grad_(item.requires_grad) if item.is_floating_point() else copy


def _checked(call: _FunctionCall) -> FunctionCheck:
    name = call.function.__name__
    if call.elements > _MOST_ELEMENTS:
        reason = f"gradcheck would take too long: its inputs have more than {_MOST_ELEMENTS:,} elements"
        return FunctionCheck(name, call.source, "not checked", reason)
    try:
        with _random_state_kept(), without_second_pass():
            wrong = _disagreement(call, call.arguments)
            if wrong is not None and _disagreement(call, _shifted(call.arguments)) is None:
                wrong = None  # at a kink, such as relu at 0, which no finite difference can judge
    except Exception as error:  # of user code, which may not support double precision
        reason = f"{type(error).__name__} in double precision: {_one_line(error)}"
        return FunctionCheck(name, call.source, "not checked", reason)
    if wrong is None:
        return FunctionCheck(name, call.source, "agrees")
    return FunctionCheck(name, call.source, "disagrees", wrong)


def _disagreement(call: _FunctionCall, arguments: tuple[Any, ...]) -> str | None:
    """gradcheck's objection to a Function at these arguments, or None."""
    function: Any = call.function
    try:
        if call.elements > _ONE_BY_ONE:
            torch.autograd.gradcheck(function.apply, arguments, fast_mode=True, atol=_ABSOLUTE, rtol=_RELATIVE)
        else:
            torch.autograd.gradcheck(function.apply, arguments)
    except GradcheckError as error:
        return _one_line(error)
    return None


def _shifted(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same arguments, with small random offsets where they require a gradient."""

    def shifted(item: Any) -> Any:
        if not isinstance(item, torch.Tensor) or not item.requires_grad:
            return item
        return (item.detach() + 1e-3 * torch.rand_like(item)).requires_grad_()

    return tuple(map(shifted, arguments))


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the state of random numbers afterwards, and suppress gradcheck's warnings."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _one_line(error: BaseException) -> str:
    """The first sentence of gradcheck's message, with the two numbers if it compares one element."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0].rstrip(".,:") if lines else type(error).__name__
    values = [
        _bare(line.split(":", 1)[1])
        for key in ("numerical", "analytical")
        for line in lines
        if line.startswith(f"{key}:")
    ]
    if len(values) == 2 and all(values):
        first += f" (by finite differences {values[0]}, by backward {values[1]})"
    return mask_addresses(first)


def _bare(value: str) -> str:
    """`12` of `tensor([[12.0000]], dtype=torch.float64)` and of `12.0`; "" of several numbers."""
    found = _ONE_NUMBER.match(value.strip())
    return f"{float(found[1]):.6g}" if found is not None else ""


_ONE_NUMBER = re.compile(r"(?:tensor\(\[\[)?(-?\d[\d.]*(?:e[-+]\d+)?)(?:\]\], dtype.*|\]\]\))?$")
