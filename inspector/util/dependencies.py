"""The dependencies of this package, from its metadata: the only list is in pyproject.toml."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import operator
import re
import sys
from collections.abc import Iterable
from pathlib import Path

_DISTRIBUTION = "autograd-inspector"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PYTHON = re.compile(r"""\bpython_version\s*(<=|<|>=|>|==|!=)\s*['"](\d+)\.(\d+)['"]""")
_COMPARED = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")


def requirements(extra: str | None = None) -> list[str]:
    """The names of the distributions that this package needs, or those that one of its extras adds.

    From the installed metadata, or from pyproject.toml in a checkout that is not installed. Empty if there is
    neither.
    """
    return [name for name, of in _requirements() if of == extra]


def import_names() -> set[str] | None:
    """The top-level modules of this package and of all its dependencies, extras included: `yaml` for PyYAML.

    None if there is no metadata.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [name for name, _ in _requirements()]
    if not waiting:
        return None
    while waiting:
        name = _normalized(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed, or a requirement of another platform
        found |= _modules_of(distribution)
        waiting += [required for required, extra in _parsed(distribution.requires) if extra is None]
    return found | {"inspector"}  # missing in an editable installation


@functools.cache
def _requirements() -> list[tuple[str, str | None]]:
    """Each requirement with the extra that it belongs to, in order."""
    try:
        return _parsed(importlib.metadata.requires(_DISTRIBUTION))
    except importlib.metadata.PackageNotFoundError:
        return _of_checkout()


def _of_checkout() -> list[tuple[str, str | None]]:
    try:
        import tomllib  # Python 3.11

        text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8")
        project = tomllib.loads(text)["project"]
    except (ImportError, OSError, KeyError, ValueError):
        return []
    if project.get("name") != _DISTRIBUTION:
        return []
    always = _parsed(project.get("dependencies"))
    extras = project.get("optional-dependencies", {}).items()
    return always + [(name, extra) for extra, texts in extras for name, _ in _parsed(texts)]


def _parsed(texts: Iterable[str] | None) -> list[tuple[str, str | None]]:
    """`pillow>=11; extra == 'slides'` → ("pillow", "slides"). Requirements of other Python versions are left out;
    other markers are ignored."""
    found = []
    for text in texts or ():
        name, extra = _NAME.match(text), _EXTRA.search(text)
        if name is not None and _is_for_this_python(text):
            found.append((name[0], None if extra is None else extra[1]))
    return found


def _is_for_this_python(requirement: str) -> bool:
    """Whether the markers of a requirement on Python's version hold: `executing; python_version < '3.11'`."""
    return all(
        _COMPARED[comparison](sys.version_info[:2], (int(major), int(minor)))
        for comparison, major, minor in _PYTHON.findall(requirement)
    )


def _modules_of(distribution: importlib.metadata.Distribution) -> set[str]:
    declared = distribution.read_text("top_level.txt")
    if declared:
        return set(declared.split())
    tops = {_top(line) for line in (distribution.read_text("RECORD") or "").splitlines()}
    return {top for top in tops if top is not None and top.isidentifier()}


def _top(line: str) -> str | None:
    """The top-level module of a line of RECORD: `click/core.py,sha256=…,123`."""
    folder, slash, _ = line.partition("/")
    return folder if slash else inspect.getmodulename(line.partition(",")[0])


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
