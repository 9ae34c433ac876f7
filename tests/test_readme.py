"""README.md and the pages of docs/: what they say can be run, and what they show is what is printed."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import networkx
import pytest
from running import GALLERY, ROOT, ScriptRunner

from inspector.cli import _parse
from inspector.commands.options import FORMATS
from inspector.diagnosis import RULES
from inspector.options import STYLE_NAMES

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
USER_PAGES = [README, DOCS / "index.md", DOCS / "use.md"]

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"(?:\$ )?(?:inspect|inspect-autograd|python -m inspector) ")

OF_OTHERS = {
    *("--inspect-gradients", "--epochs", "--all", "--update-golden", "--strict", "--help"),
    "--nproc-per-node",  # torchrun's
}
"""Options in the pages that are pytest's, a script's or another tool's."""

PREAMBLE = """
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = torch.nn.MSELoss()
a, b = (torch.tensor(value, requires_grad=True) for value in (2.0, 0.0))
z = a**2 - b**2
x, y = torch.randn(8, 3), torch.randn(8, 1)
def train(model, optimizer):
    for _ in range(5):
        optimizer.zero_grad(); criterion(model(x), y).backward(); optimizer.step()
"""
"""What the second block of the README takes for granted."""

FRESH = "loss = criterion(model(x), y)\n"
"""Each paragraph of it has a loss of its own: backward releases a graph."""

TRAINING = """\
import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(4, 3),
            nn.Tanh(),
            nn.Linear(3, 2),
        )
        self.decoder = nn.Linear(2, 4)

    def forward(self, x):
        return self.decoder(self.code(x))

    def code(self, x):
        z = self.encoder(x).detach()
        return z


model = Autoencoder()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    ((model(x) - x) ** 2).mean().backward()
    optimizer.step()
"""
"""The train.py whose finding the README shows."""


def blocks(page: Path, language: str | None = None) -> list[str]:
    """The fenced blocks of a page, with one language or all of them, without their indentation."""
    found = _FENCED.findall(page.read_text("utf-8"))
    return [
        re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        for indent, name, text in found
        if language is None or name == language
    ]


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every call of `inspect` in a page, without the words that explain it."""
    for block in blocks(page):
        for line in block.splitlines():
            for part in line.split("&&"):
                if found := _PROGRAM.match(part.strip()):
                    call = re.split(r" {2,}| #", part.strip()[found.end() :])[0]
                    if not re.search(r"\[\w+|REPORT", call):  # a synopsis
                        yield shlex.split(call)


def printed(beginning: str) -> list[str]:
    """The lines of the block of the README that begins like this."""
    (block,) = [block for block in blocks(README) if block.startswith(beginning)]
    return [line.rstrip() for line in block.splitlines()]


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def words(text: str) -> list[str]:
    """All words, sorted: parameters may come in another order, lines be broken elsewhere."""
    return sorted(text.replace(",", " ").split())


def contains(whole: list[str], part: list[str]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole)))


# ---- Python ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [README, DOCS / "index.md"], ids=lambda page: page.name)
def test_the_python_blocks_run(page: Path, inspect_script: ScriptRunner) -> None:
    first, *others = blocks(page, "python")
    assert others, "the page has lost its examples"
    paragraphs = [part for block in others for part in block.split("\n\n")]
    code = "\n".join((first, PREAMBLE, *(FRESH + part for part in paragraphs)))
    ran = inspect_script.plain(code, timeout=300)
    assert ran.status == 0, ran.stderr
    assert (inspect_script.folder / "z.svg").exists()


def test_the_saddle_is_printed_as_shown(inspect_script: ScriptRunner) -> None:
    code = (GALLERY / "saddle.py").read_text("utf-8")
    assert code.endswith(blocks(README, "python")[0])
    ran = inspect_script(code, name="saddle.py")
    assert contains(lines(ran.stderr), printed("backward 1 ")), ran.stderr


def test_the_finding_is_printed_as_shown(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(TRAINING, name="train.py")
    _, *shown = printed("$ inspect train.py")
    found = re.search(r"^error .*?(?=\n\n)", ran.stderr, re.MULTILINE | re.DOTALL)
    assert found is not None, ran.stderr
    assert words(found[0]) == words("\n".join(shown))


# ---- Commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_can_be_parsed(page: Path) -> None:
    found = list(commands(page))
    assert found or page not in USER_PAGES
    for arguments in found:
        parsed = _parse.main(arguments, prog_name="inspect", standalone_mode=False)
        assert parsed["module"] or parsed["arguments"], arguments
        if parsed["arguments"][:1] == ("explain",):
            assert set(parsed["arguments"][1:]) <= set(RULES)


def test_a_wrong_command_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ inspect --stile circuit saddle.py   # a wrong option\n```\n")
    (arguments,) = commands(page)
    assert arguments == ["--stile", "circuit", "saddle.py"]
    with pytest.raises(Exception, match="No such option"):
        _parse.main(arguments, prog_name="inspect", standalone_mode=False)


@pytest.mark.parametrize("page", USER_PAGES, ids=lambda page: page.name)
def test_the_options_exist(page: Path) -> None:
    known = {name for parameter in _parse.params for name in parameter.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page.read_text("utf-8")))
    assert named - known - OF_OTHERS == set()


@pytest.mark.parametrize("page", [README, DOCS / "use.md", DOCS / "figures.md"], ids=lambda page: page.name)
def test_every_style_has_a_row(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [name for name in STYLE_NAMES if f"| `{name}` |" not in text] == []


# ---- Links and generated parts --------------------------------------------------------------------------------


def test_the_links_of_the_readme_lead_to_files() -> None:
    targets = re.findall(r"\]\(([^)#]+)", README.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert local
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """docs/hooks.py, which generates parts of the pages."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_hooks"] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_complete(hooks: ModuleType) -> None:
    filled = {page.name: hooks.on_page_markdown(page.read_text("utf-8")) for page in PAGES[1:]}
    assert not any("<!-- generated" in text for text in filled.values())
    shown = [name for option in _parse.params if not getattr(option, "hidden", True) for name in option.opts]
    assert [name for name in shown if f"`{name}`" not in filled["use.md"]] == []
    assert "`--backward` N \\| all \\| last |" in filled["use.md"], "a bar within a cell would end it"
    assert [name for name in FORMATS if f"| `{name}` |" not in filled["use.md"]] == []
    assert "## FunctionRow" in filled["report_format.md"] and "`made_in`" in filled["report_format.md"]
    assert all(f"](#{name.lower()})" in filled["report_format.md"] for name in ("CallRow", "Value", "Unknown"))


def test_the_pictures_are_there(hooks: ModuleType) -> None:
    assert [path for path in hooks.PICTURES.values() if not (ROOT / path).exists()] == []
    stages = hooks.stages_picture().decode()
    assert all(f">{name}</text>" in stages for name in ("recording", "graph", "layout", "diagnosis"))


# ---- Architecture ---------------------------------------------------------------------------------------------


def may_import(hooks: ModuleType) -> dict[str, set[str]]:
    """Package -> the packages that its paragraph in docs/architecture.md lets it import."""
    text = (DOCS / "architecture.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    allowed = {}
    for name, section in sections.items():
        text = " ".join(section.split())
        found = re.search(r"(May import everything but|May import|Imports no other package)([^.]*)", text)
        assert found is not None, f"{name}: its paragraph does not say what it may import"
        named = set(re.findall(r"`(\w+)`", found[2].split(";")[0]))
        every = set(hooks.packages())
        allowed[name] = every - named if "everything" in found[1] else set() if "no other" in found[1] else named
    return allowed


def test_every_package_has_its_paragraph_and_keeps_to_it(hooks: ModuleType) -> None:
    allowed, imports = may_import(hooks), hooks.imports()
    assert sorted(allowed) == hooks.packages()
    assert {name: others - allowed[name] for name, others in imports.items() if others - allowed[name]} == {}


def test_there_is_no_cycle_between_packages(hooks: ModuleType) -> None:
    graph = networkx.DiGraph((name, other) for name, others in hooks.imports().items() for other in others)
    assert graph.number_of_edges() > 50
    assert list(networkx.simple_cycles(graph)) == []


def test_the_figures_of_the_readme_are_those_that_were_measured():
    measured = (ROOT / "benchmarks" / "results" / "whole.md").read_text("utf-8")
    rows = [line for line in measured.splitlines() if line.startswith("|")]
    assert "\n".join(rows) in README.read_text("utf-8"), "copy the table of benchmarks/results/whole.md"
