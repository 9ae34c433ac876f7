"""The pages that `inspect` writes: with every run, again from a report, and shown by `--open`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from running import OUTPUT, command_line, environment

SCRIPT = """
    import torch

    x = torch.tensor(3.0, requires_grad=True)
    y = x * x
    y.backward()
    y = x.sin()
    y.backward()
"""
SHOW = "import pathlib, sys; pathlib.Path('shown').write_text(sys.argv[1])"


def test_a_run_writes_its_pages_and_says_where(inspect_script) -> None:
    ran = inspect_script(SCRIPT, options=("--backward", "all"))
    assert {"backward-1.html", "backward-2.html", "backward-1.svg", "index.html", "report.json"} <= ran.files
    assert f"page    {OUTPUT}/backward-1.html" in ran.stderr.splitlines()
    index = (ran.folder / OUTPUT / "index.html").read_text("utf-8")
    assert 'href="backward-1.html"' in index and 'href="backward-2.html"' in index


def test_a_report_gives_the_page_again(inspect_script) -> None:
    ran = inspect_script(SCRIPT, options=("-f", "html"))
    page = ran.folder / OUTPUT / "backward-1.html"
    size = len(page.read_bytes())
    page.unlink()
    again = inspect_script.command("-f", "html", f"{OUTPUT}/report.json")
    assert again.status == 0
    assert 0.95 < len(page.read_bytes()) / size < 1.05  # without the lines beside those in the report


def test_open_shows_the_page(inspect_script) -> None:
    browser = f"{sys.executable} -c \"{SHOW}\" %s"
    ran = inspect_script(SCRIPT, options=("-f", "html", "--open"), env={"BROWSER": browser})
    assert (ran.folder / "shown").read_text() == (ran.folder / OUTPUT / "backward-1.html").as_uri()
    assert ran.said == []


def test_open_without_a_page_is_told(inspect_script) -> None:
    ran = inspect_script(SCRIPT, options=("-f", "dot", "--open"))
    assert ran.said == ["inspect: no page to open: add -f html"]


def test_one_page_is_all_that_is_written(tmp_path: Path) -> None:
    code = "import torch\nx = torch.ones(3, requires_grad=True)\nx.sum().backward()\n"
    (tmp_path / "script.py").write_text(code)
    command = command_line("-o", "z.html", "script.py")
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True)
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "z.html"]
