"""The checks of a running script that an option asks for: `--gradcheck` and `--check-independence`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from inspector.commands.options import CheckOptions

if TYPE_CHECKING:
    from inspector.recording.gradcheck import CustomFunctions, FunctionCheck
    from inspector.report import BackwardCall, Check, Finding

Rows: TypeAlias = "tuple[list[Finding], list[Check]]"
"""Findings, and the rules without any."""


class ScriptChecks:
    """Records what the checks need from `install` to `remove`. folder: the script's.

    gradchecks: the results of `--gradcheck`; None before `run`, and without the option.
    """

    def __init__(self, options: CheckOptions, folder: str) -> None:
        self.gradchecks: list[FunctionCheck] | None = None
        self._functions: CustomFunctions | None = None
        self._mixing: Rows | None = None
        """The rows of `--check-independence`, from the first call that could be checked."""
        self._options, self._folder = options, folder

    def install(self) -> None:
        """Start to record the calls of custom Functions; torch is imported."""
        if self._options.functions:
            from inspector.recording.gradcheck import CustomFunctions
            from inspector.user_code.paths import UserFiles

            self._functions = CustomFunctions(UserFiles(self._folder))
            self._functions.install()

    def remove(self) -> None:
        """Remove all hooks."""
        if self._functions is not None:
            self._functions.remove()

    @property
    def have_to_ask_before_calls(self) -> bool:
        """Whether `before_call` has something to do."""
        return self._options.independence is not None

    def before_call(self, outputs: Sequence[Any]) -> None:
        """While the graph of a call is whole: ask whether samples mix in it."""
        dim = self._options.independence
        if dim is not None and (self._mixing is None or any(check.reason for check in self._mixing[1])):
            from inspector.recording.sample_mixing import check_independence

            self._mixing = check_independence(outputs, dim)

    def run(self) -> None:
        """Run `--gradcheck`, which calls user code: with the user's modules, outside of `our_modules`."""
        self.remove()
        if self._functions is not None:
            self.gradchecks = self._functions.check()

    def rows(self, calls: list[BackwardCall]) -> Rows:
        """The rows of the checks for a report."""
        findings, checked = self._mixing or ([], [])
        if self.gradchecks is None:
            return findings, checked
        from inspector.recording.gradcheck import rows_of

        wrong, right = rows_of(self.gradchecks, calls)
        return [*wrong, *findings], [*right, *checked]
