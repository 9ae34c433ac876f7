"""The script to run, located and read before the process is changed."""

from __future__ import annotations

import builtins
import functools
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from pkgutil import get_importer
from types import ModuleType
from typing import Any

from msgspec import Struct

from inspector.util.os_errors import reason


class ScriptError(Exception):
    """There is nothing to run; the message is one line, without a prefix or final full stop."""


class ScriptTarget(Struct, frozen=True):
    """The program to run: a file (or a folder or zip with a ``__main__.py``), or a module.

    path: as the user wrote it; None for a module.
    module: the name after ``-m``; None for a file.
    arguments: the script's arguments after ``sys.argv[0]``.
    """

    path: str | None
    module: str | None
    arguments: tuple[str, ...] = ()


class SourceFile(Struct, frozen=True):
    """A Python file, source or compiled (``.pyc``).

    path: absolute, not normalised, like ``__file__`` in plain python.
    """

    path: str
    content: bytes

    @property
    def folder(self) -> str:
        """The first entry of `sys.path` in plain python, with symbolic links resolved."""
        return str(Path(self.path).resolve().parent)

    def prepare(self, main: ModuleType) -> None:
        """Set the attributes of ``__main__`` that plain python sets, in the same order."""
        loader = SourcelessFileLoader if self._is_compiled else SourceFileLoader
        main.__loader__ = loader("__main__", self.path)
        main.__dict__.update(__annotations__={}, __builtins__=builtins, __file__=self.path, __cached__=None)

    def program(self, main: ModuleType) -> Callable[[], object]:
        """A function that runs the file. Raises SyntaxError if the file does not compile."""
        if self._is_compiled:
            code: Any = SourcelessFileLoader("__main__", self.path).get_code("__main__")
        else:
            code = compile(self.content, self.path, "exec", dont_inherit=True)
        # Implemented in C, so it adds no frame to the user's stack.
        return functools.partial(exec, code, main.__dict__)

    def leave(self, main: ModuleType) -> None:
        """Remove the attributes that plain python removes before atexit handlers run."""
        main.__dict__.pop("__file__", None)
        main.__dict__.pop("__cached__", None)

    @property
    def _is_compiled(self) -> bool:
        return self.path.endswith(".pyc")


class ModuleByName(Struct, frozen=True):
    """A module that `runpy` finds: the one after ``-m``, or the ``__main__`` of a folder or zip.

    name: "__main__" for a folder or zip.
    folder: the working directory, or the folder or zip itself; first on `sys.path`.
    """

    name: str
    folder: str

    @property
    def is_folder(self) -> bool:
        """Whether this is the ``__main__`` of a folder or zip."""
        return self.name == "__main__"

    def prepare(self, main: ModuleType) -> None:
        """Set the attributes of ``__main__`` that exist before `runpy` sets the others."""
        main.__dict__.update(__annotations__={}, __builtins__=builtins)

    def program(self, main: ModuleType) -> Callable[[], object]:
        """A function that runs the module: the one that ``python -m`` calls, so that warnings and tracebacks are
        the same. runpy's public functions restore `sys.modules` at the end."""
        run_as_main: Callable[[str, bool], object] = runpy._run_module_as_main  # type: ignore[attr-defined]
        return functools.partial(run_as_main, self.name, not self.is_folder)

    def missing(self, error: BaseException) -> str | None:
        """runpy's reason if `error` means that there is nothing to run, else None."""
        reason = error.__context__
        if isinstance(error, SystemExit) and isinstance(reason, runpy._Error):  # type: ignore[attr-defined]
            return str(reason)
        return None


def find(target: ScriptTarget) -> SourceFile | ModuleByName:
    """The program that `target` names.

    Raises ScriptError for a file that is missing, unreadable or not Python. A missing module is only detected when
    it is run (`ModuleByName.missing`).
    """
    if target.module is not None:
        return ModuleByName(target.module, str(Path.cwd()))
    if target.path is None:
        raise ScriptError("missing argument SCRIPT")
    # Joined as text, because plain python keeps `./` and `..` in ``__file__``.
    is_absolute = Path(target.path).is_absolute()
    path = target.path if is_absolute else f"{Path.cwd()}{os.sep}{target.path}"
    if not Path(path).exists():
        raise ScriptError(f"no such file: {target.path}{_close_match(target.path)}")
    if get_importer(path) is not None:
        return ModuleByName("__main__", path)
    return SourceFile(path, _read(path, target.path))


def _read(path: str, shown: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ScriptError(f"cannot read {shown}: {reason(error)}") from None
    if path.endswith(".pyc"):
        if content[:4] != importlib.util.MAGIC_NUMBER:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise ScriptError(f"not compiled by this Python ({version}): {shown}")
        return content
    if b"\0" in content:
        raise ScriptError(f"not a Python file: {shown} (it contains null bytes)")
    _check_text(content, shown)
    return content


def _check_text(content: bytes, shown: str) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    else:
        return
    try:
        importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        raise ScriptError(
            f"not a Python file: {shown} (line {line} is not UTF-8, and no other encoding is declared)"
        ) from None


def _close_match(path: str) -> str:
    import difflib  # only needed for an error

    wanted = Path(path)
    try:
        names = [entry.name for entry in wanted.parent.iterdir() if entry.suffix == ".py"]
    except OSError:
        return ""
    matches = difflib.get_close_matches(wanted.name, names, n=1)
    return f" (did you mean {wanted.with_name(matches[0])}?)" if matches else ""
