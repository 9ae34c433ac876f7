"""Modules beside the script that have names of ours: the script gets its own, and we get ours."""

from __future__ import annotations

import ast
import importlib.metadata
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from running import GALLERY, OUTPUT, ROOT, ScriptRunner, command_line, environment, valid_report

from inspector.runscript import sys_modules_isolation
from inspector.util import dependencies

SADDLE = (GALLERY / "saddle.py").read_text()
OTHERS = (
    "yaml", "rich", "click", "networkx", "numpy", "sympy", "mpmath", "fontTools", "PIL", "lxml", "pptx",
    "reportlab", "resvg_py", "pygraphviz", "graphviz", "torchviz", "markdown_it", "mdurl", "pygments", "inspector",
)  # fmt: skip
"""What we import, now or later: the packages that we name, and those that these need."""


def importing(name: str) -> str:
    """A script that imports the module beside it twice, before and after what is watched."""
    again = f"import sys\ndel sys.modules[{name!r}]\nimport {name}\nprint({name}.WHOSE)\n"
    return f"import {name}\n{SADDLE}\n{again}"


def formulas(report: dict) -> list[dict]:
    return [row["formula"] for row in report["backward_calls"][0]["graph"]["nodes"] if row["kind"] == "function"]


@pytest.mark.parametrize("name", OTHERS)
def test_the_script_gets_its_own_and_we_get_ours(name: str, inspect_script: ScriptRunner) -> None:
    inspect_script.write("WHOSE = 'of the script'\nprint('imported')\n", f"{name}.py")
    also = ("-f", "torchviz") if name == "torchviz" else ()
    ran = inspect_script(importing(name), options=("-f", "dot", *also))
    assert (ran.status, ran.stdout) == (0, "imported\nimported\nof the script\n")
    assert ran.said == [], "our own modules are found"
    assert "backward-1.dot" in ran.files and ("backward-1.torchviz.svg" in ran.files) is (name == "torchviz")
    assert any(formulas(ran.report)), "which are read with yaml"


@pytest.mark.parametrize(
    ("name", "command", "path"),
    [
        ("yaml/__init__", [str(Path(sys.executable).with_name("inspect"))], "."),
        ("rich", [str(Path(sys.executable).with_name("inspect"))], ""),
        ("click", command_line(), ""),
    ],
)
def test_in_a_process_of_its_own(name: str, command: list[str], path: str, tmp_path: Path) -> None:
    """PYTHONPATH and `python -m inspector` put the script's folder among the places where we look."""
    module = tmp_path / f"{name}.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text("WHOSE = 'of the script'\nprint('imported')\n")
    (tmp_path / "script.py").write_text(importing(name.partition("/")[0]))
    ended = subprocess.run(
        [*command, "-f", "dot", "script.py"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (0, "imported\nimported\nof the script\n"), ended.stderr
    assert "inspect:" not in ended.stderr
    assert any(formulas(valid_report(tmp_path / OUTPUT / "report.json")))


@pytest.mark.parametrize("beside", ["yaml", "transformers_of_mine", "data/yaml", "utils"])
def test_what_does_not_collide_costs_nothing(beside: str, tmp_path: Path) -> None:
    """A folder without modules in it, a name that only the script has, one deeper: nothing is exchanged."""
    place = tmp_path / beside
    if beside == "yaml":
        place.mkdir()  # of settings, say: no package
        (place / "settings.yaml").touch()
    else:
        place.parent.mkdir(exist_ok=True)
        place.with_suffix(".py").touch()
    assert sys_modules_isolation._collisions(str(tmp_path)) == frozenset()


def test_names_that_collide(tmp_path: Path) -> None:
    for name in ("yaml", "random", "markdown_it", "torch", "sys", "encodings", "mine", "resvg_py"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "lxml").mkdir()
    (tmp_path / "lxml" / "__init__.py").touch()
    assert sys_modules_isolation._collisions(str(tmp_path)) == {
        "yaml",
        "random",
        "markdown_it",
        "resvg_py",
        "lxml",
    }


def test_a_name_of_an_installed_package_that_we_do_not_need_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While we work the script's threads go on, and may import what is theirs."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "somebodys.py").touch()
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "somebodys.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert sys_modules_isolation._collisions(str(tmp_path / "script")) == frozenset()
    monkeypatch.setattr(dependencies, "_requirements", list)  # nobody knows what we need
    assert sys_modules_isolation._collisions(str(tmp_path / "script")) == {"somebodys"}


# ---- the list of what we need -----------------------------------------------------------------------------


def test_everything_that_we_import_is_in_the_list() -> None:
    names = dependencies.import_names()
    assert names is not None and names >= {*OTHERS, "torch", "typing_extensions"}
    imported = set()
    needed_elsewhere = {"executing"} if sys.version_info >= (3, 11) else set()
    for path in (ROOT / "inspector").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                imported.add(node.module.partition(".")[0])
    assert "yaml" in imported
    needed_elsewhere.add("IPython")  # only a shell that has loaded the extension asks for it
    assert imported - needed_elsewhere - sys.stdlib_module_names <= names


def test_requirements_by_extra() -> None:
    assert {"torch", "pyyaml", "rich", "torchviz"} <= {*dependencies.requirements()}
    assert {*dependencies.requirements("slides")} == {"python-pptx", "pillow"}
    assert "pytest" not in dependencies.requirements() and dependencies.requirements("no such extra") == []


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("; python_version < '3.0'", False),
        ("; python_version >= '3.0'", True),
        ('; python_version > "3.0" and python_version < "3.2"', False),
        ("; platform_system == 'Plan 9'", True),
    ],
)
def test_markers_of_the_python_version(marker: str, holds: bool) -> None:
    assert bool(dependencies._parsed([f"executing>=2{marker}"])) is holds


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout that pip has not seen."""
    find = importlib.metadata.requires

    def requires(name: str) -> list[str] | None:
        if name == "autograd-inspector":
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    monkeypatch.setattr(dependencies, "_requirements", dependencies._requirements.__wrapped__)


@pytest.mark.usefixtures("not_installed")
def test_a_checkout_that_is_not_installed_has_its_project_file() -> None:
    assert {"torch", "pyyaml", "rich", "torchviz"} <= {*dependencies.requirements()}
    assert {*dependencies.requirements("slides")} == {"python-pptx", "pillow"}
    names = dependencies.import_names()
    assert names is not None and names >= {*OTHERS}


@pytest.mark.usefixtures("not_installed")
@pytest.mark.parametrize("text", [None, "", "[project]\nname = 'another'\ndependencies = ['x']\n", "[project"])
def test_without_either_nothing_is_known(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.setattr(dependencies, "__file__", str(tmp_path / "inspector" / "util" / "dependencies.py"))
    assert dependencies.requirements() == [] and dependencies.import_names() is None


def test_the_launcher_of_a_copy_without_metadata(tmp_path: Path) -> None:
    """`python cli.py`, with a yaml.py beside the script: the copy knows of no project file either."""
    shutil.copytree(
        ROOT / "inspector", tmp_path / "copy" / "inspector", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "cli.py", tmp_path / "copy")
    # The metadata that the interpreter has is another's, as far as the copy can see.
    project = tmp_path / "copy" / "inspector" / "util" / "dependencies.py"
    project.write_text(project.read_text("utf-8").replace('"autograd-inspector"', '"not-installed"'), "utf-8")
    (tmp_path / "yaml.py").write_text("WHOSE = 'of the script'\nprint('imported')\n")
    (tmp_path / "script.py").write_text(textwrap.dedent(importing("yaml")))
    ended = subprocess.run(
        [sys.executable, tmp_path / "copy" / "cli.py", "-f", "dot", "script.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (0, "imported\nimported\nof the script\n"), ended.stderr
    assert "inspect:" not in ended.stderr
    assert any(formulas(valid_report(tmp_path / OUTPUT / "report.json")))
