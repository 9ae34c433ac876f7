"""Scripts that tests write, run under `inspect` or plainly, and what came of it."""

from __future__ import annotations

import functools
import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
from forkserver import Completed, ForkServer

from inspector.report import from_json, schema

HERE = Path(__file__).parent
ROOT = HERE.parent
GALLERY = ROOT / "gallery"
OUTPUT = "inspect-out"
PRELOADED = (
    "torch",
    "torch._dynamo",  # the first optimizer imports it, in more time than the rest of a small run takes
    "torchviz",
    "networkx",
    "rich.console",
    "rich.table",
    "sympy",
    "yaml",
    "inspector.cli",
    "inspector.commands.again",
    "inspector.commands.export_figures",
    "inspector.commands.redraw_report",
    "inspector.commands.run_script",
    "inspector.derivatives.symbol_table",
    "inspector.diagnosis",
    "inspector.recording.flight",
    "inspector.recording.session",
    "inspector.terminal",
)
"""What the fork server has imported."""
QUICK = ("-f", "json")
"""The report alone: no process that draws."""


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(schema())


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would change the output."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV", "PYTEST"))}
    return kept | {"COLUMNS": "100", "OMP_NUM_THREADS": "1", "TERM": "dumb"} | changes


@dataclass(frozen=True)
class Ran:
    """A script's end. folder: where it ran."""

    status: int
    stdout: str
    stderr: str
    folder: Path

    @functools.cached_property
    def report(self) -> dict[str, Any]:
        """report.json, valid by its schema."""
        return valid_report(self.folder / OUTPUT / "report.json")

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self.report["backward_calls"]

    @functools.cached_property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of the first call's graph."""
        return self.calls[0]["graph"]["nodes"]

    def tensor(self, name: str, call: int = 0) -> dict[str, Any]:
        """The row of the one tensor with this name, or of its last pass."""
        rows = [row for row in self.calls[call]["graph"]["nodes"] if row.get("name") == name]
        *_, last = sorted(rows, key=lambda row: row.get("pass", 0))
        assert len({row.get("pass") for row in rows}) == len(rows)
        return last

    def functions(self, call: int = 0) -> list[dict[str, Any]]:
        return [row for row in self.calls[call]["graph"]["nodes"] if row["kind"] == "function"]

    def grads(self, name: str, call: int = 0) -> tuple[Any, Any]:
        """`grad` before and after."""
        row = self.tensor(name, call)
        return row["before"]["grad"], row["after"]["grad"]

    @property
    def files(self) -> set[str]:
        """What lies in the output folder."""
        return {path.name for path in (self.folder / OUTPUT).iterdir()}

    @property
    def said(self) -> list[str]:
        """The lines on stderr that begin with `inspect:`."""
        return [line for line in self.stderr.splitlines() if line.startswith("inspect:")]


def valid_report(path: Path) -> dict[str, Any]:
    """A report.json that follows its schema and that `load` reads; numbers as JSON has them."""
    text = path.read_text("utf-8")
    rows: dict[str, Any] = json.loads(text)
    _validator().validate(rows)
    from_json(text)
    return rows


class ScriptRunner:
    """Call it with the code of a script: `inspect_script("import torch …")`."""

    def __init__(self, server: ForkServer, folder: Path) -> None:
        self._server = server
        self.folder = folder

    def write(self, code: str, name: str = "script.py") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    def __call__(
        self,
        code: str,
        *arguments: str,
        options: Sequence[str] = QUICK,
        warnings: str | None = None,
        name: str = "script.py",
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> Ran:
        """Run `inspect OPTIONS script.py ARGUMENTS`."""
        self.write(code, name)
        return self.command(*options, name, *arguments, warnings=warnings, env=env, timeout=timeout)

    def command(
        self,
        *argv: str | os.PathLike[str],
        warnings: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
        input: str = "",
    ) -> Ran:
        """Run `inspect ARGV` in the folder."""
        ended = self._server.run(
            argv,
            cwd=self.folder,
            env=environment(**(env or {})),
            warnings=warnings,
            timeout=timeout,
            input=input,
        )
        return self._ran(ended)

    def plain(
        self,
        code: str,
        *arguments: str,
        name: str = "script.py",
        warnings: str | None = None,
        timeout: float = 300,
    ) -> Ran:
        """Run the script as `python script.py ARGUMENTS` would."""
        self.write(code, name)
        ended = self._server.run(
            [name, *arguments],
            cwd=self.folder,
            env=environment(PYTHONPATH=str(HERE)),
            entry="plain:run",
            warnings=warnings,
            timeout=timeout,
        )
        return self._ran(ended)

    def _ran(self, ended: Completed) -> Ran:
        return Ran(ended.status, ended.stdout, ended.stderr, self.folder)


def command_line(*argv: str) -> list[str]:
    """`inspect ARGV` in a process of its own."""
    return [sys.executable, "-m", "inspector", *argv]
