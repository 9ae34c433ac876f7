"""`python gallery/page/torchviz_picture.py SCRIPT`: torchviz's own picture of a script's first backward, as SVG.

The script runs as it is; just before its first `backward()` torchviz draws the root. torchviz needs a `dot`
binary, so its DOT text is laid out by the Graphviz that pygraphviz brings. A process of its own for each script.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from typing import Any

import pygraphviz
import torch
from torchviz import make_dot


def names(space: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """What a reader of torchviz's manual hands over as `params`: leaves and parameters under their names."""
    found = {name: value for name, value in space.items() if isinstance(value, torch.Tensor) and value.is_leaf}
    for model in space.values():
        if isinstance(model, torch.nn.Module):
            found.update(model.named_parameters())
    return {name: tensor for name, tensor in found.items() if tensor.requires_grad}


def first_picture(script: str) -> bytes:
    """The picture of the first root that the script calls `backward` on."""
    pictures: list[bytes] = []
    backward = torch.Tensor.backward

    def watched(root: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        if not pictures:
            caller = sys._getframe(1)
            dot = make_dot(root, params=names({**caller.f_globals, **caller.f_locals}))
            drawn = pygraphviz.AGraph(string=dot.source).draw(format="svg", prog="dot")
            pictures.append(drawn)
        backward(root, *args, **kwargs)

    torch.Tensor.backward = watched  # type: ignore[method-assign]
    runpy.run_path(script, run_name="__main__")
    return pictures[0]


if __name__ == "__main__":
    sys.stdout.buffer.write(first_picture(sys.argv[1]))
