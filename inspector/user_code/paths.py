"""Which files belong to the user, and how reports write file paths.

Does not import torch, since it is used before the script does.
"""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType

from inspector.user_code.comments import without_comments
from inspector.util.frame_locals import span_at

_PACKAGE = str(Path(__file__).resolve().parents[1])
_INSTALLED = ("site-packages", "dist-packages")
_INSTALLED_FOLDERS = tuple(f"{os.sep}{name}{os.sep}" for name in _INSTALLED)


@functools.cache
def _library_folders() -> tuple[str, ...]:
    """Folders of the standard library (real paths with a trailing separator)."""
    names = ("stdlib", "platstdlib")
    paths = (sysconfig.get_path(name) for name in names)
    return tuple({_closed(os.path.realpath(path)) for path in paths if path})


class UserFiles:
    """Distinguishes the user's files from all others.

    folder: the script's folder (in a notebook or a test: the working directory).
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        self._roots = tuple({_closed(self.folder), _closed(os.path.realpath(Path.cwd()))})
        self._libraries = _library_folders()
        self._is_users: dict[str, bool] = {}
        self._is_library: dict[str, bool] = {}
        self._display_paths: dict[str, str] = {}

    def is_users(self, path: str) -> bool:
        """Whether `path` (a `co_filename`) is code of the user: under the script's folder or the working
        directory, or typed in a notebook; but not installed, in the standard library, or part of the inspector."""
        known = self._is_users.get(path)
        if known is None:
            known = self._is_users[path] = self._decide(path)
        return known

    def defines(self, kind: type) -> bool:
        """Whether a class is the user's, by the file of its module; a notebook's `__main__` has none."""
        module = kind.__module__
        path = getattr(sys.modules.get(module), "__file__", None) if isinstance(module, str) else None
        return self.is_users(path) if isinstance(path, str) else module == "__main__"

    def is_library(self, path: str) -> bool:
        """Whether `path` (a `co_filename`) is code that was installed, or that lies outside of the user's folders;
        but not in the standard library, or part of the inspector."""
        known = self._is_library.get(path)
        if known is None:
            real = path if _is_pseudo(path) else _real(path)
            installed = any(folder in real for folder in _INSTALLED_FOLDERS)
            other = _is_pseudo(path) or real.startswith((_closed(_PACKAGE), *self._libraries))
            known = self._is_library[path] = installed or not (other or self.is_users(path))
        return known

    def display_path(self, path: str) -> str:
        """`path` for a report: relative to the script's folder, `site-packages/…`, or a base name."""
        known = self._display_paths.get(path)
        if known is None:
            known = self._display_paths[path] = self._write(path)
        return known

    def text_of(self, name: str) -> str:
        """The source of a file of the user that `display_path` has named, such as `In [4]`; "" without one."""
        path = next((path for path, known in self._display_paths.items() if known == name), None)
        return "" if path is None or not self.is_users(path) else "".join(linecache.getlines(path))

    def _write(self, path: str) -> str:
        cell = _cell_name(path)
        if cell:
            return cell
        if _is_pseudo(path):
            return path
        real = os.path.realpath(path)
        parts = Path(real).parts
        for installed in _INSTALLED:
            if installed in parts:
                last = len(parts) - 1 - parts[::-1].index(installed)
                return "/".join(parts[last:])
        if real.startswith(_closed(self.folder)):
            return Path(os.path.relpath(real, self.folder)).as_posix()
        return Path(real).name

    def statement_at(self, path: str, line: int, column: int | None = None) -> str:
        """The source code of one line without its comment, stripped; "" if there is none.

        column: in bytes; selects one of several statements on the line.
        """
        text = linecache.getline(path, line)
        if "#" in text:
            indent = text[: len(text) - len(text.lstrip())]
            text = indent + without_comments(text.strip())
        if column is None or ";" not in text:
            return text.strip()
        import ast  # late, so that `inspect --help` is fast

        try:
            statements = ast.parse(text.strip()).body
        except (SyntaxError, ValueError):
            return text.strip()
        at = column - len(text.encode()) + len(text.lstrip().encode())
        meant = [node for node in statements if node.col_offset <= at < (node.end_col_offset or 0)]
        return ast.get_source_segment(text.strip(), meant[0]) or "" if meant else text.strip()

    def _decide(self, path: str) -> bool:
        if _is_pseudo(path):
            # A cell of IPython or a doctest has its source in linecache; `<frozen importlib>`, `<string>`
            # and code that a library generates with exec have none.
            return path in linecache.cache and path.startswith(("<ipython-", "<doctest", "<stdin"))
        real = _real(path)
        if real.startswith(_closed(_PACKAGE)) or any(folder in real for folder in _INSTALLED_FOLDERS):
            return False
        if _is_ipython_cell(real):
            return True
        return real.startswith(self._roots) and not real.startswith(self._libraries)


def column_of(frame: FrameType) -> int | None:
    """The start column, in bytes, of the current expression of a frame."""
    return span_at(frame.f_code, frame.f_lasti)[2]


def _real(path: str) -> str:
    """`os.path.realpath` with cached folders; by itself it queries every folder of a path for each file."""
    if not path.startswith(os.sep) or os.path.islink(path):  # noqa: PTH114 a Path is slower
        return os.path.realpath(path)
    folder, separator, name = path.rpartition(os.sep)
    return _closed(_real_folder(folder + separator)) + name


_real_folder = functools.lru_cache(maxsize=1024)(os.path.realpath)


def _closed(folder: str) -> str:
    """`folder` with a trailing separator, so that `/a/bc` is not inside `/a/b`."""
    return folder if folder.endswith(os.sep) else folder + os.sep


def _is_pseudo(path: str) -> bool:
    return path.startswith("<")


def _cell_name(path: str) -> str:
    """What IPython calls a cell: `In [4]`; "" for a file."""
    terminal = sys.modules.get("IPython.core.interactiveshell")
    if terminal is None or not (path.startswith("<ipython-") or _is_ipython_cell(path)):
        return ""
    shell = terminal.InteractiveShell
    name = shell.instance().compile.format_code_name(path) if shell.initialized() else None
    return name[1].replace("In[", "In [") if name else ""


def _is_ipython_cell(path: str) -> bool:
    """ipykernel compiles a cell as `<temporary folder>/ipykernel_<pid>/<hash>.py`."""
    return "ipykernel_" in path and Path(path).parent.name.startswith("ipykernel_")
