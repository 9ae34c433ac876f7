"""Random programs over small tensors, as hypothesis strategies: views, in-place writes, several outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from hypothesis import strategies as st

Pool = list[torch.Tensor]
Step = Callable[[torch.Tensor, torch.Tensor], Pool]


class Swap(torch.autograd.Function):
    """Two inputs, three outputs of which one has no gradient."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a)
        return b * 2, a.sin(), torch.arange(3)

    @staticmethod
    def backward(ctx, g, h, _):
        (a,) = ctx.saved_tensors
        return h * a.cos(), g * 2


def _fit(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two vectors of the same length. Which Nodes that takes depends on the shapes."""
    a, b = a.reshape(-1), b.reshape(-1)
    if a.shape[0] < b.shape[0]:
        b = b[: a.shape[0]]
    elif b.shape[0] < a.shape[0]:
        a = a.narrow(0, 0, b.shape[0])
    return a, b


def _write(a: torch.Tensor, b: torch.Tensor) -> Pool:
    """In place, on a tensor that nothing has saved."""
    fresh = a * 1.0
    fresh.mul_(0.5)
    return [fresh]


def _write_through_a_view(a: torch.Tensor, b: torch.Tensor) -> Pool:
    fresh = a.reshape(-1) * 1.0
    view = fresh[:1]
    view.copy_(b.reshape(-1)[:1] * 0.25)
    return [fresh, view]


def _write_below_a_view(a: torch.Tensor, b: torch.Tensor) -> Pool:
    """The view's grad_fn is stale: torch makes it anew when it is read."""
    fresh = a.reshape(-1) * 1.0
    view = fresh[:1]
    fresh.add_(1)
    return [view, fresh]


def _assign(a: torch.Tensor, b: torch.Tensor) -> Pool:
    buffer = torch.zeros(a.numel(), dtype=a.dtype)
    buffer[0] = b.reshape(-1)[0]
    return [buffer]


def _by_shape(a: torch.Tensor, b: torch.Tensor) -> Pool:
    return [a.exp() if a.numel() > 2 else a.tanh()]


STEPS: dict[str, Step] = {
    "sin": lambda a, b: [a.sin()],
    "square": lambda a, b: [a * a],
    "by a number": lambda a, b: [a * 0.5 + 1],
    "add": lambda a, b: [torch.add(*_fit(a, b))],
    "multiply": lambda a, b: [torch.mul(*_fit(a, b))],
    "broadcast": lambda a, b: [a * b.sum()],
    "sum": lambda a, b: [a.sum()],
    "mean": lambda a, b: [a.mean()],
    "outer": lambda a, b: [torch.outer(*_fit(a, b))[:3, :3]],
    "matrix": lambda a, b: [a.reshape(1, -1) @ a.reshape(-1, 1)],
    "transpose": lambda a, b: [a.reshape(1, -1).t()],
    "view": lambda a, b: [a.reshape(-1).view(-1, 1)],
    "strided": lambda a, b: [a.reshape(-1)[::2]],
    "unbind": lambda a, b: list(a.reshape(-1).unbind()[:3]),
    "split": lambda a, b: list(a.reshape(-1).split(2)),
    "largest": lambda a, b: [a.reshape(1, -1).max(dim=1).values],
    "sort": lambda a, b: [a.reshape(-1).sort().values],
    "stack": lambda a, b: [torch.stack([*_fit(a, b), _fit(a, b)[0]])[:2]],
    "cat": lambda a, b: [torch.cat([a.reshape(-1), b.reshape(-1), a.reshape(-1)])[:6]],
    "where": lambda a, b: [torch.where(a > 0, a, 0.5)],
    "index": lambda a, b: [a.reshape(-1)[torch.tensor([0, 0])]],
    "complex": lambda a, b: [torch.view_as_real(torch.complex(*_fit(a, b)) * 1j).sum(-1)],
    "cut": lambda a, b: [a * a.detach().sigmoid()],
    "custom": lambda a, b: list(Swap.apply(*_fit(a, b))[:2]),
    "in place": _write,
    "through a view": _write_through_a_view,
    "below a view": _write_below_a_view,
    "assign": _assign,
    "by shape": _by_shape,
}


@dataclass
class Program:
    """leaves: their shapes. steps: (operation, two positions in the pool). roots: positions from the end."""

    shapes: list[tuple[int, ...]]
    steps: list[tuple[str, int, int]]
    roots: list[int]
    leaves: Pool = field(default_factory=list)

    def run(self) -> Pool:
        """The roots, none of them twice and none a view; at least one has a graph. `leaves` are made anew."""
        generator = torch.Generator().manual_seed(0)
        self.leaves = [
            torch.rand(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in self.shapes
        ]
        pool = list(self.leaves)
        for name, first, second in self.steps:
            made = STEPS[name](pool[first % len(pool)], pool[second % len(pool)])
            pool += [tensor for tensor in made if tensor.requires_grad and tensor.numel() > 0]
        chosen = dict.fromkeys(len(pool) - 1 - position % len(pool) for position in self.roots)
        return [pool[position] * 1.5 for position in chosen]


_SHAPES = st.sampled_from([(), (1,), (3,), (2, 2)])
_POSITIONS = st.integers(0, 30)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Up to four leaves, twelve steps and three roots."""
    return Program(
        shapes=draw(st.lists(_SHAPES, min_size=1, max_size=4)),
        steps=draw(
            st.lists(st.tuples(st.sampled_from(sorted(STEPS)), _POSITIONS, _POSITIONS), min_size=1, max_size=12)
        ),
        roots=draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)),
    )
