"""Parameters that are made for one backward call and are gone before the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from inspector.recording.training.lost_parameters import LostParameters

SOURCE = {"file": "net.py", "line": 7, "code": "layer = nn.Linear(2, 2)"}


def watch(
    make: Callable[[], nn.Parameter], held: list[torch.Tensor], source: Any = SOURCE, used: Any = None
) -> list[Any]:
    """The rows after three calls whose graphs hold one parameter each, as a graph does: until the next is made."""
    lost = LostParameters(lambda _: source)
    for _ in range(3):
        graph = [make()]
        lost.begins(enumerate(graph), lambda leaf: any(leaf is other for other in held), lambda _: used)
        del graph
    return lost.rows


def test_a_line_that_makes_parameters_again_is_told_once() -> None:
    told = {"kind": "rebuilt", "source": SOURCE, "text": SOURCE["code"], "of": None}
    assert watch(lambda: nn.Parameter(torch.ones(2)), []) == [told]


def test_of_a_bare_parameter_the_line_that_uses_it_is_told() -> None:
    used = {"file": "net.py", "line": 9, "code": "return x * scale"}
    told = {"kind": "uses_rebuilt", "source": used, "text": used["code"], "of": None}
    assert watch(lambda: nn.Parameter(torch.ones(2)), [], None, used) == [told]
    kept = nn.Parameter(torch.ones(2))
    assert watch(lambda: kept, [], None, used) == []


def test_what_is_kept_or_held_or_of_unknown_origin_is_not_told() -> None:
    kept = nn.Parameter(torch.ones(2))
    assert watch(lambda: kept, []) == []
    held: list[torch.Tensor] = []

    def make() -> nn.Parameter:
        held.append(nn.Parameter(torch.ones(2)))
        return held[-1]  # type: ignore[return-value]

    assert watch(make, held) == []
    assert watch(lambda: nn.Parameter(torch.ones(2)), [], None) == []
    assert watch(lambda: nn.Parameter(torch.ones(2)), [], {**SOURCE, "library": {}}) == []
    assert watch(lambda: torch.ones(2, requires_grad=True), []) == []  # type: ignore[arg-type,return-value]
