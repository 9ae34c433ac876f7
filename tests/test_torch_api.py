"""The one door to torch: nothing else touches a private name of it, and every capability can be missing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forkserver import Completed, ForkServer
from running import GALLERY, OUTPUT, QUICK, environment

import inspector
from inspector.torch_api import CAPABILITIES, Capability

PACKAGE = Path(inspector.__file__).parent
DOOR = PACKAGE / "torch_api"

OF_TORCH = {"_C", "_backward_hooks", "_base", "_buffers", "_cdata", "_modules", "_parameters", "_version"}
"""Private names of torch that modules of ours might well have too, for attributes of their own."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def own_names(tree: ast.AST) -> set[str]:
    """The private names that a module defines: functions, classes, variables, attributes of its own objects."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # __slots__
            found.add(node.value)
    return found


def foreign_names(path: Path, ours: set[str]) -> Iterator[str]:
    """The private names of others that a module uses, each with its place."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            names = [node.attr] if node.attr not in ours or node.attr in OF_TORCH else []
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names if alias.name.startswith("torch")]
            names = [part for name in imported for part in name.split(".")]
        yield from (f"{path.relative_to(PACKAGE)}:{node.lineno} {name}" for name in names if is_private(name))


OF_OTHERS = {
    *("_getframe", "_shutdown", "_run_module_as_main", "_Error"),  # Python's
    *("_adj", "_pred"),  # networkx's
    *("_doc", "_spTree", "_connect_begin_to", "_connect_end_to"),  # reportlab's and python-pptx's
}


def test_no_private_name_of_torch_outside_of_the_door() -> None:
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if DOOR not in path.parents]
    assert len(modules) > 200, "the package was not found"
    ours = {name for path in modules for name in own_names(ast.parse(path.read_text())) if is_private(name)}
    found = [place for path in modules for place in foreign_names(path, ours)]
    assert [place for place in found if place.split()[1] not in OF_OTHERS] == []


@pytest.mark.parametrize("line", ["torch._C._len_torch_function_stack()", "tensor._version", "node._saved_self"])
def test_a_private_name_would_be_found(line: str, tmp_path: Path) -> None:
    path = PACKAGE / "imagined.py"
    tree = ast.parse(line)
    names = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_private(node.attr)]
    assert names and not path.exists()
    ours = {"_version"}  # as an attribute of ours is called
    assert any(name not in ours or name in OF_TORCH for name in names)


def test_every_capability_is_asked_once() -> None:
    asked: list[int] = []

    def find() -> int:
        asked.append(1)
        return 7

    capability = Capability("imagined thing", "nothing", find)
    assert asked == []
    assert capability.is_available and capability.parts == 7 and capability.remark is None
    assert len(asked) == 1


# Broken on purpose

EVERYWHERE = ("classifier",)
"""Scripts of the gallery that every run of the tests breaks every capability under: one with modules, an optimizer
and several steps. Their reports alone are written; the slow tests draw, and take all scripts."""


def broken(
    server: ForkServer, how: str, capability: Capability[Any], script: str, folder: Path, *options: str
) -> Completed:
    """`inspect` on a script of the gallery, with one capability broken."""
    (folder / f"{script}.py").write_text((GALLERY / f"{script}.py").read_text())
    variables = environment(BROKEN=f"{how}:{capability.name}", PYTHONPATH=str(Path(__file__).parent))
    argv = [*options, f"{script}.py"]
    return server.run(argv, cwd=folder, env=variables, entry="breaking:run", warnings="error")


def check_broken(
    server: ForkServer, how: str, capability: Capability[Any], script: str, folder: Path, *options: str
) -> None:
    ran = broken(server, how, capability, script, folder, *options)
    assert (ran.status, ran.stdout) == (0, ""), ran.stderr
    if not options:  # the picture is drawn from the report, by another process in which nothing is broken
        assert (folder / OUTPUT / "backward-1.svg").stat().st_size > 10_000, ran.stderr
    assert "Traceback" not in ran.stderr and "backward() was not called" not in ran.stderr
    report = json.loads((folder / OUTPUT / "report.json").read_text())
    remarks = report["recording"].get("remarks", [])
    said = " ".join(ran.stderr.split())
    assert all(remark in said for remark in remarks), "the terminal says what the report says"
    named = [remark for remark in remarks if remark.startswith(capability.lost)]
    if how == "absent":
        assert remarks == named, "nothing else was lost"
    assert all("broken on purpose" in remark for remark in remarks)
    leaves = [row for row in report["backward_calls"][0]["graph"]["nodes"] if row["name"] and row.get("is_leaf")]
    named = [row for row in leaves if row["kind"] == "tensor" and row["requires_grad"]]
    assert named and all(row["after"]["grad"] is not None for row in named), "names and grads are whole"


_PRELOADED = (
    *("torch", "torch._dynamo", "networkx", "rich.console", "rich.table", "sympy"),
    *("inspector.cli", "inspector.diagnosis", "inspector.derivatives", "inspector.terminal"),
    *("inspector.commands.run_script", "inspector.commands.export_figures", "inspector.commands.report_output"),
)


@pytest.fixture(scope="module")
def bare_server() -> Iterator[ForkServer]:
    """A process that has imported torch, but of the inspector only what does without, so that a capability can be
    broken first."""
    with ForkServer(_PRELOADED) as server:
        yield server


@pytest.mark.parametrize("script", EVERYWHERE)
@pytest.mark.parametrize("how", ["absent", "raises"])
@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.name)
def test_a_broken_capability(capability, how, script, bare_server, tmp_path):
    check_broken(bare_server, how, capability, script, tmp_path, *QUICK)


@pytest.mark.parametrize("how", ["absent", "as it is"])
def test_doctor_says_what_is_missing(how, bare_server, tmp_path):
    name = "saved tensors"
    broken = f"{how}:{name if how == 'absent' else ''}"
    variables = environment(PYTHONPATH=str(Path(__file__).parent), BROKEN=broken)
    ran = bare_server.run(["doctor"], cwd=tmp_path, env=variables, entry="breaking:run")
    assert ran.status == 0, ran.stderr
    cells = [re.split(r" {2,}", line.strip()) for line in ran.stdout.splitlines()]
    rows = {row[0]: row[1] for row in cells if len(row) == 3}
    shown = {capability.name: capability for capability in CAPABILITIES if len(capability.name) <= 28}
    assert len(shown) > 15
    for key in shown:
        is_missing = (key == name and how == "absent") or not shown[key].is_available
        assert rows[key] == ("missing" if is_missing else "available")


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted({path.stem for path in GALLERY.glob("*.py")}))
@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.name)
def test_a_broken_capability_in_every_script(capability, script, bare_server, tmp_path):
    for how in ("absent", "raises"):
        (tmp_path / how).mkdir()
        check_broken(bare_server, how, capability, script, tmp_path / how)
