"""`--gradcheck`: custom Functions, checked at the inputs that the script gave them.

While the script is watched the first calls of each Function are noted: double precision copies of its tensors, all
else as it was given. Afterwards torch's own gradcheck runs the user's forward and backward on them. That is the
one place where user code runs that the script did not ask for, so it happens on request only.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.autograd.gradcheck import GradcheckError

from inspector.files import Files
from inspector.report import BackwardCall, Check, Finding, mask_addresses

RULE = "wrong-backward"

_CALLS_OF_ONE = 2
"""How many calls of one Function are checked: a second one may have other arguments."""

_MOST_ELEMENTS = 256
"""Of all inputs together: gradcheck runs the forward twice for each."""

Status = Literal["agrees", "disagrees", "not checked"]


@dataclass(frozen=True, slots=True)
class FunctionChecked:
    """One call of a custom Function. reason: what gradcheck said, or why it could not look.

    source: the line that called it.
    """

    name: str
    source: Any
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Call:
    function: type[Any]
    arguments: tuple[Any, ...]
    source: Any
    too_large: bool


class CustomFunctions:
    """Notes the calls of `torch.autograd.Function.apply` from `install` to `remove`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._calls: list[_Call] = []
        self._original: Any = None
        self._installed: Any = None

    def install(self) -> None:
        """Begin to watch."""
        original = self._original = torch.autograd.Function.__dict__["apply"]
        notes = self._note

        def apply(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
            if not kwargs and not torch.compiler.is_compiling():
                with contextlib.suppress(Exception):  # an error of ours is no error of the script's
                    notes(cls, args)
            return original.__func__(cls, *args, **kwargs)

        self._installed = classmethod(apply)
        torch.autograd.Function.apply = self._installed  # type: ignore[method-assign]

    def remove(self) -> None:
        """Watch no more. Where somebody has wrapped our function since, it stays and passes calls on."""
        if self._installed is not None and torch.autograd.Function.__dict__["apply"] is self._installed:
            torch.autograd.Function.apply = self._original  # type: ignore[method-assign]
        self._installed = None

    def check(self) -> list[FunctionChecked]:
        """Run gradcheck on what was noted. The state of torch's random numbers is as before afterwards."""
        calls, self._calls = self._calls, []
        return [_checked(call) for call in calls]

    def _note(self, function: type[Any], args: tuple[Any, ...]) -> None:
        known = [call for call in self._calls if call.function is function]
        if self._installed is None or len(known) >= _CALLS_OF_ONE:
            return
        tensors = [item for item in args if isinstance(item, torch.Tensor)]
        if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
            return
        source = self._source()
        if source is None:
            return
        too_large = sum(tensor.numel() for tensor in tensors) > _MOST_ELEMENTS
        copies = () if too_large else tuple(_copied(item) for item in args)
        self._calls.append(_Call(function, copies, source, too_large))

    def _source(self) -> dict[str, Any] | None:
        """The user's line that is running; None where a library calls a Function of its own."""
        frame = sys._getframe(3)
        if not self._files.is_users(frame.f_code.co_filename):
            return None
        path, line = frame.f_code.co_filename, frame.f_lineno
        return {"file": self._files.shown(path), "line": line, "code": self._files.statement(path, line)}


def rows_of(results: list[FunctionChecked], calls: list[BackwardCall]) -> tuple[list[Finding], list[Check]]:
    """The results for a report: a finding for each Function with a wrong backward, else what was looked at.

    calls: the backward calls of the report; a finding names the Nodes of the first that has some of its Function.
    """
    wrong = {result.name: result for result in reversed(results) if result.status == "disagrees"}
    if wrong:
        return [_finding(result, calls) for result in reversed(wrong.values())], []
    if any(result.status == "agrees" for result in results):
        return [], [Check(rule=RULE, status="nothing found", reason=None)]
    reason = results[0].reason if results else "no custom Function was called"
    return [], [Check(rule=RULE, status="not checked", reason=reason)]


def _finding(result: FunctionChecked, calls: list[BackwardCall]) -> Finding:
    index, nodes = None, []
    for call in calls:
        nodes = [key for key, row in call.graph.functions() if row["name"] == f"{result.name}Backward"]
        if nodes:
            index = call.index
            break
    return {
        "rule": RULE,
        "severity": "error",
        "message": f"the backward of {result.name} is not the derivative of its forward: {result.reason}",
        "advice": f"mend {result.name}.backward; a deliberate surrogate (straight-through) can stay as it is",
        "location": result.source,
        "backward_call": index,
        "nodes": nodes,
        "parameters": [],
        "evidence": {},
    }


def _copied(item: Any) -> Any:
    """A tensor of its own in double precision, one of integers or flags as it is, all else as given."""
    if not isinstance(item, torch.Tensor):
        return item
    copy = item.detach().clone()
    if item.is_complex():
        return copy.to(torch.complex128).requires_grad_(item.requires_grad)
    return copy.double().requires_grad_(item.requires_grad) if item.is_floating_point() else copy


def _checked(call: _Call) -> FunctionChecked:
    name = call.function.__name__
    if call.too_large:
        reason = f"its inputs have more than {_MOST_ELEMENTS} elements: gradcheck would take too long"
        return FunctionChecked(name, call.source, "not checked", reason)
    function: Any = call.function
    try:
        with _undisturbed():
            torch.autograd.gradcheck(function.apply, call.arguments)
    except GradcheckError as error:
        return FunctionChecked(name, call.source, "disagrees", _one_line(error))
    except Exception as error:  # of the user's code, which may know no double precision
        reason = f"{type(error).__name__} in double precision: {_one_line(error)}"
        return FunctionChecked(name, call.source, "not checked", reason)
    return FunctionChecked(name, call.source, "agrees")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """The user's random numbers go on as if nothing had run, and no warning of gradcheck's comes out."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _one_line(error: BaseException) -> str:
    """The first sentence of what gradcheck says, and the two numbers where it compares one element."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0].rstrip(".,:") if lines else type(error).__name__
    values = {
        key: " ".join(line.split(":", 1)[1].split())
        for line in lines
        for key in ("numerical", "analytical")
        if line.startswith(f"{key}:") and "[[" in line
    }
    if len(values) == 2 and all(_is_short(value) for value in values.values()):
        numerical, analytical = _bare(values["numerical"]), _bare(values["analytical"])
        first += f" (by finite differences {numerical}, by backward {analytical})"
    return mask_addresses(first)


def _is_short(value: str) -> bool:
    return value.count(",") <= 1 and value.count("]]") == 1


def _bare(value: str) -> str:
    """`12` of `tensor([[12.0000]], dtype=torch.float64)`."""
    text = value[value.index("[[") + 2 : value.index("]]")]
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
