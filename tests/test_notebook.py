"""Notebooks: the magics, the names and lines of cells, and what each object shows; the gallery's notebook."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from running import GALLERY

import inspector
from inspector.graph import is_unknown

KINDS = {"text/html", "image/svg+xml", "text/plain"}


@pytest.fixture(scope="module")
def outputs() -> list[list[Any]]:
    """The outputs of the gallery's notebook, by code cell."""
    notebook = nbformat.read(GALLERY / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def page_of(bundle: Any) -> dict[str, Any]:
    """The data of the page in a frame."""
    frame = re.search(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts allow-downloads"', bundle["text/html"])
    assert frame is not None
    data = re.search(r'id="data">([^<]*)<', html.unescape(frame[1]))
    assert data is not None
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(data[1])))
    return found


def test_the_notebook_of_the_gallery_shows_a_page_a_picture_and_a_text(outputs: list[list[Any]]) -> None:
    shown = [output.data for cell in outputs for output in cell if "data" in output]
    assert len(shown) == 5  # %%inspect, %inspect_on, Graph, Picture, Flight
    for bundle in shown:
        assert bundle.keys() >= KINDS
        assert bundle["image/svg+xml"].startswith("<svg") and bundle["text/plain"]
    graphs = [page_of(bundle)["nodes"]["count"] for bundle in shown]
    assert graphs[0] == 5 and graphs[2] == graphs[3] == 3
    assert page_of(shown[4])["timeline"]["steps"] == 40


def test_cells_have_their_numbers_lines_and_names(outputs: list[list[Any]]) -> None:
    magic, later = page_of(outputs[1][-1].data), page_of(outputs[4][-1].data)
    assert (magic["call"]["location"]["file"], magic["call"]["location"]["line"]) == ("In [2]", 5)
    assert magic["title"] == "z = x**2 - y**2" and magic["files"]["In [2]"]["4"] == "z = x**2 - y**2"
    assert magic["script"] == "<notebook>" and later["call"]["location"]["file"] == "In [5]"
    assert "In [4]" in later["files"]  # the forward stands in the cell before
    assert later["title"] == "loss = model(torch.randn(16, 4)).pow(2).mean()"


# ---- the magics, in this process ----------------------------------------------------------------------------


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "inspector")
    yield shell
    shell.run_line_magic("unload_ext", "inspector")
    InteractiveShell.clear_instance()


def ran(shell: InteractiveShell, *cells: str) -> tuple[list[Any], str]:
    """What cells display, and what they print."""
    with capture_output() as captured:
        for cell in cells:
            shell.run_cell(cell, store_history=True)
    return captured.outputs, captured.stdout + captured.stderr


LAYERS = """import inspector, torch
layers = torch.nn.Sequential(*[torch.nn.TransformerEncoderLayer(16, 2, 32) for _ in range(6)])
inspector.draw(layers(torch.randn(4, 2, 16)).sum())"""


def test_the_page_of_a_graph_that_is_gone_has_all_values(shell: InteractiveShell) -> None:
    picture = shell.run_cell(LAYERS).result
    values = [row["before"]["data"] for _, row in picture.graph.tensors()]
    assert len(values) > 200
    assert not any(is_unknown(value) for value in values)


FORWARD = "import torch\nw = torch.tensor(3.0, requires_grad=True)\nout = w * w"


def test_a_cell_without_backward_says_so(shell: InteractiveShell) -> None:
    shown, said = ran(shell, f"%%inspect\n{FORWARD}")
    assert shown == [] and said == "inspect: backward() was not called in this cell\n"


def test_a_cell_that_raises_shows_what_was_recorded_and_fails(shell: InteractiveShell) -> None:
    shown, said = ran(shell, f"%%inspect\n{FORWARD}\nout.backward()\n1 / 0")
    assert len(shown) == 1 and page_of(shown[0].data)["nodes"]["count"] == 2
    assert said.count("Traceback") == 1 and "ZeroDivisionError" in said
    assert not shell.run_cell("%%inspect\n1 / 0").success


def test_inspect_on_shows_each_call_once_until_it_is_turned_off(shell: InteractiveShell) -> None:
    inner = f"%%inspect\n{FORWARD}\nout.backward()"
    shown, _ = ran(shell, "%inspect_on", FORWARD, "1 + 1", "out.backward()", inner, "%inspect_off", inner[9:])
    assert [page_of(one.data)["nodes"]["count"] for one in shown if "text/html" in one.data] == [2, 2]
    assert shell.user_ns["w"].grad.item() == 6.0


def test_words_after_a_magic_are_refused(shell: InteractiveShell) -> None:
    _, said = ran(shell, f"%%inspect --depth 2\n{FORWARD}")
    assert "%%inspect takes no arguments, got '--depth 2'" in said


def test_a_graph_alone_is_a_page(shell: InteractiveShell) -> None:
    ran(shell, FORWARD)
    bundle = inspector.trace(shell.user_ns["out"])._repr_mimebundle_()
    assert bundle.keys() == KINDS and page_of(bundle)["nodes"]["count"] == 2
