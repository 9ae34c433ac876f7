"""The famous figures: the numbers of their books to four digits, through the command, with every frame."""

import pytest
from running import GALLERY, OUTPUT

FAMOUS = {  # root and value; gradients of the leaves
    "cs231n_product": ("f", -12, {"x": -4, "y": -4, "z": 3}),
    "cs231n_neuron": ("f", 0.7311, {"w0": -0.1966, "w1": -0.3932, "w2": 0.1966, "x0": 0.3932, "x1": -0.5898}),
    "olah": ("e", 6, {"a": 2, "b": 5}),
    "cs224n_max": ("f", 6, {"x": 2, "y": 5, "z": 0}),
    "micrograd": ("y", 3, {"x": 2}),
    "regression": ("loss", 9, {"w": -18, "x": -12, "b": -6, "y": 6}),
    "baydin": ("y", 11.652, {"x1": 5.5, "x2": 1.716}),
}


@pytest.mark.parametrize("name", FAMOUS)
def test_numbers_and_frames(name, inspect_script):
    options = ("--style", "circuit", "--frames", "--code")
    source = (GALLERY / f"{name}.py").read_text("utf-8")
    ran = inspect_script(source, name=f"{name}.py", options=options, warnings="error")
    assert (ran.status, ran.stdout) == (0, "")
    root, value, gradients = FAMOUS[name]
    assert ran.tensor(root)["after"]["data"] == pytest.approx(value, rel=5e-4)
    for leaf, gradient in gradients.items():
        assert ran.tensor(leaf)["after"]["grad"] == pytest.approx(gradient, rel=5e-4, abs=1e-6)
    names = {path.name for path in (ran.folder / OUTPUT).glob("*.svg")}
    steps = len(ran.calls[0]["graph"]["steps"])
    assert {f"backward-1.step-{step:02d}.svg" for step in range(steps + 2)} <= names
    first = (ran.folder / OUTPUT / "backward-1.step-01.svg").read_text("utf-8")
    assert first.startswith("<svg")


def test_a_wrong_path_is_a_line_and_no_picture(inspect_script):
    source = (GALLERY / "olah.py").read_text("utf-8")
    ran = inspect_script(source, name="olah.py", options=("--path", "a:nothing"), warnings="error")
    assert ran.status == 0
    assert any("no tensor 'nothing'; the tensors are: a, b, c, d, e" in line for line in ran.said)
