"""`-f torchviz` and `make_dot(original=True)`: what torchviz itself draws, held against it on the same root."""

from __future__ import annotations

import json
import re
import warnings
import xml.etree.ElementTree
from pathlib import Path

import pytest
import torch
from graphs import square
from reports import report_of
from running import GALLERY, OUTPUT, ScriptRunner

import inspector
from inspector.export.torchviz import write_original
from inspector.layout.errors import LayoutFailed
from inspector.report import save
from inspector.report.originals import Original, save_originals
from inspector.tracing.torchviz import MOST_NODES, NoOriginal

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports distutils
    import torchviz

OPTIONS = ("-f", "torchviz")
FILE = "report.torchviz.json"
SCALARS = """
    import torch
    u = torch.tensor(2.0, requires_grad=True)
    v = torch.tensor(3.0, requires_grad=True)
    root = u * v + u**2
    params = {"root": root, "u": u, "v": v}
"""
MODEL = """
    import torch
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    root = model(torch.ones(2, 3)).mean()
    params = dict(model.named_parameters()) | {"root": root}
"""
CUSTOM = """
    import torch
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3
        @staticmethod
        def backward(ctx, gradient):
            return gradient * 3 * ctx.saved_tensors[0] ** 2
    x = torch.tensor(2.0, requires_grad=True)
    root = Cube.apply(x)
    params = {"root": root, "x": x}
"""
VIEW = """
    import torch
    x = torch.ones(4, requires_grad=True)
    doubled = x * 2
    root = doubled[1]
    params = {"root": root, "x": x, "doubled": doubled}
"""
CALLS_TORCHVIZ = """
    import warnings
    warnings.simplefilter("ignore")
    from torchviz import make_dot
    print(make_dot(root, params=params).source, end="")
"""
BACKWARD = "root.backward()\n"


def plain(code: str) -> str:
    """A script's lines without the indentation that they have here."""
    return "\n".join(line.removeprefix("    ") for line in code.splitlines()) + "\n"


def statements(source: str) -> list[str]:
    """The statements of a text for Graphviz, nodes numbered as they come."""
    numbers: dict[str, int] = {}
    return re.sub(
        r'^\t"?(n?\d+)"?(?= (?:->|\[))|(?<= -> )"?(n?\d+)"?',
        lambda found: f"#{numbers.setdefault(found[1] or found[2], len(numbers))}",
        source,
        flags=re.MULTILINE,
    ).splitlines()


def kept(folder: Path) -> dict[str, dict[str, str | None]]:
    return json.loads((folder / OUTPUT / FILE).read_text("utf-8"))


def notes(ran) -> list[str]:
    return [line for line in ran.said if line.startswith("inspect: note: no torchviz picture")]


# ---- the same as torchviz ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [SCALARS, MODEL, CUSTOM, VIEW], ids=["scalars", "model", "custom", "view"])
def test_it_is_what_torchviz_draws_of_the_same_root(code: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(plain(code) + plain(CALLS_TORCHVIZ) + BACKWARD, options=(*OPTIONS, "-f", "dot"))
    assert ran.status == 0 and notes(ran) == []
    source = kept(ran.folder)["1"]["source"]
    assert source is not None and statements(source) == statements(ran.stdout)
    assert {"backward-1.torchviz.svg", "backward-1.dot", FILE} <= ran.files and FILE in ran.stderr
    svg = xml.etree.ElementTree.parse(ran.folder / OUTPUT / "backward-1.torchviz.svg").getroot()
    drawn = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    names = set(re.findall(r'label="?([A-Za-z_][\w.]*)', source))
    assert names and names <= drawn


def test_the_same_bytes_every_time(inspect_script: ScriptRunner) -> None:
    files = []
    for _ in range(2):
        ran = inspect_script(plain(MODEL) + BACKWARD, options=OPTIONS)
        files.append([(ran.folder / OUTPUT / name).read_bytes() for name in (FILE, "backward-1.torchviz.svg")])
    assert files[0] == files[1]


def test_one_file(inspect_script: ScriptRunner) -> None:
    ran = inspect_script((GALLERY / "saddle.py").read_text(), options=("-o", "z.torchviz.svg"))
    assert ran.status == 0 and {path.name for path in ran.folder.iterdir()} == {"script.py", "z.torchviz.svg"}
    assert "SubBackward0" in (ran.folder / "z.torchviz.svg").read_text()


def test_every_drawn_call_has_its_own(inspect_script: ScriptRunner) -> None:
    loop = plain(SCALARS) + "for power in (1, 2):\n    root = u**power\n    root.backward()\n"
    ran = inspect_script(loop, options=(*OPTIONS, "--backward", "all"))
    assert {"backward-1.torchviz.svg", "backward-2.torchviz.svg"} <= ran.files
    assert list(kept(ran.folder)) == ["1", "2"]
    last = inspect_script(loop, options=(*OPTIONS, "--backward", "last"))
    assert list(kept(last.folder)) == ["2"] and notes(last) == []


@pytest.mark.parametrize("action", ["error", "always"])
def test_warnings_of_torchviz_do_not_reach_the_script(action: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(plain(SCALARS) + BACKWARD + "print(u.grad.item())\n", options=OPTIONS, warnings=action)
    assert (ran.status, ran.stdout) == (0, "7.0\n")
    assert notes(ran) == [] and "Warning" not in ran.stderr and "backward-1.torchviz.svg" in ran.files


def test_the_library_hands_out_torchvizs_digraph() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    y = (x * 3).exp()
    ours = inspector.make_dot(y, params={"x": x}, show_attrs=True, show_saved=True, original=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = torchviz.make_dot(y, params={"x": x}, show_attrs=True, show_saved=True)
    assert statements(ours.source) == statements(theirs.source)
    assert type(ours) is type(theirs) and "\tn0 [" in ours.source


def test_a_picture_of_ours_is_not_saved_as_torchvizs(tmp_path: Path) -> None:
    picture = inspector.draw(torch.tensor(2.0, requires_grad=True) * 2)
    with pytest.raises(ValueError, match=r"make_dot\(z, original=True\)"):
        picture.save(tmp_path / "z.torchviz.svg")


# ---- where torchviz cannot draw ---------------------------------------------------------------------------

CHAIN = """
import torch
x = root = torch.tensor(1.0, requires_grad=True)
for _ in range({length}):
    root = root + 1
root.backward()
print(x.grad.item())
"""


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (1_500, "torchviz is recursive, and the graph is deeper than Python's stack"),
        (MOST_NODES, f"the graph has {MOST_NODES + 1:,} Nodes; torchviz is only used up to {MOST_NODES:,}"),
    ],
)
def test_a_graph_that_is_too_deep_or_too_large(length: int, reason: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(CHAIN.format(length=length), options=OPTIONS)
    assert (ran.status, ran.stdout) == (0, "1.0\n")
    assert notes(ran) == [f"inspect: note: no torchviz picture of backward call 1: {reason}"]
    assert kept(ran.folder) == {"1": {"source": None, "reason": reason}}
    assert "backward-1.torchviz.svg" not in ran.files
    again = inspect_script.command(*OPTIONS, f"{OUTPUT}/report.json")
    assert again.status == 0 and notes(again) == notes(ran)


HOOKS = """
unpacked = []
def unpack(x):
    unpacked.append(1)
    return x
with torch.autograd.graph.saved_tensors_hooks(lambda x: x.clone(), unpack):
    root = {expression}
leaf = next(iter(t for t in params.values() if t.is_leaf))
handle = root.register_hook(lambda gradient: print("before", len(unpacked)))
root.backward()
print("after", len(unpacked), leaf.grad.item())
"""


def test_no_unpack_hook_of_the_script_is_run(inspect_script: ScriptRunner) -> None:
    """torchviz reads what custom Functions saved, whatever it is asked to show."""
    ran = inspect_script(plain(CUSTOM) + HOOKS.format(expression="Cube.apply(x)"), options=OPTIONS)
    assert ran.stdout == "before 0\nafter 1 12.0\n"
    (note,) = notes(ran)
    assert note.endswith("would unpack the saved tensors of CubeBackward, which runs the script's unpack hook")


def test_what_other_nodes_saved_is_not_read(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(plain(SCALARS) + HOOKS.format(expression="u.exp() * 0 + u"), options=OPTIONS)
    assert ran.stdout.startswith("before 0\nafter ") and notes(ran) == []
    assert "backward-1.torchviz.svg" in ran.files


def test_what_torchviz_raises_is_told_and_not_raised(inspect_script: ScriptRunner) -> None:
    freed = (
        plain(CUSTOM) + "root.backward()\ntry:\n    root.backward()\nexcept RuntimeError:\n    print('freed')\n"
    )
    ran = inspect_script(freed, options=(*OPTIONS, "--backward", "2"))
    assert (ran.status, ran.stdout) == (0, "freed\n")
    (note,) = notes(ran)
    assert "call 2: torchviz raised RuntimeError: Trying to backward through the graph a second time" in note


def test_without_torchviz_there_is_a_reason(inspect_script: ScriptRunner) -> None:
    code = "import sys\nsys.modules['torchviz'] = None\n" + plain(SCALARS) + BACKWARD
    ran = inspect_script(code, options=OPTIONS)
    (note,) = notes(ran)
    assert ran.status == 0 and "torchviz cannot be imported: import of torchviz halted" in note


def test_the_library_raises_the_reason() -> None:
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_500):
        y = y + 1
    with pytest.raises(NoOriginal, match="deeper than Python's stack"):
        inspector.make_dot(y, original=True)
    edge = torch.autograd.graph.get_gradient_edge(x * 2)
    with pytest.raises(NoOriginal, match="torchviz only takes tensors"):
        inspector.make_dot((edge,), original=True)  # type: ignore[arg-type]


# ---- a saved report ---------------------------------------------------------------------------------------


def test_a_saved_report_is_drawn_again(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(plain(MODEL) + BACKWARD, options=OPTIONS)
    again = inspect_script.command(*OPTIONS, "-o", "again/", f"{OUTPUT}/report.json")
    assert again.status == 0 and notes(again) == []
    name = "backward-1.torchviz.svg"
    assert (ran.folder / "again" / name).read_bytes() == (ran.folder / OUTPUT / name).read_bytes()


def test_a_run_without_it_leaves_none_of_the_run_before(inspect_script: ScriptRunner) -> None:
    """Else the new report would be drawn with the old graph."""
    inspect_script(plain(MODEL) + BACKWARD, options=OPTIONS)
    ran = inspect_script(plain(SCALARS) + BACKWARD)
    assert FILE not in ran.files and "previous.torchviz.json" in ran.files
    (note,) = notes(inspect_script.command(*OPTIONS, f"{OUTPUT}/report.json"))
    assert note.endswith("the saved report has none; run inspect -f torchviz on the script")
    ran = inspect_script(plain(SCALARS) + BACKWARD)
    assert "previous.torchviz.json" not in ran.files


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"1": 2}', '{"one": {"source": "", "reason": null}}', '{"1": {"x": 1}}']
)
def test_a_damaged_file_is_told(text: str, inspect_script: ScriptRunner) -> None:
    save(report_of(square()), inspect_script.folder / "report.json")
    (inspect_script.folder / FILE).write_text(text)
    ran = inspect_script.command(*OPTIONS, "report.json")
    (note,) = notes(ran)
    assert ran.status == 0 and note.endswith(f"{FILE} is damaged; run inspect -f torchviz on the script again")


def test_what_graphviz_cannot_draw_is_told_and_the_rest_is_drawn(inspect_script: ScriptRunner) -> None:
    report = inspect_script.folder / "report.json"
    save(report_of(square()), report)
    save_originals({1: Original(source="digraph { n0 -> ")}, report)
    ran = inspect_script.command(*OPTIONS, "-f", "dot", "report.json")
    (note,) = notes(ran)
    assert ran.status == 0 and "the drawing process " in note and "backward-1.dot" in ran.files


def test_a_drawing_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(LayoutFailed, match=r"Graphviz was stopped after 0 seconds"):
        write_original("digraph { a -> b }", limit=0)
