"""torchviz's own picture of a root, as the DOT text that it gives to Graphviz.

It is taken before backward frees what torchviz reads. torchviz is recursive and always reads the saved tensors of
custom Functions. If that would exceed the stack or run user code, a reason is returned instead of a picture.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from inspector.torch_api.modes import unobserved
from inspector.torch_api.saved_tensors import saved_by
from inspector.torch_api.tensors import base_of
from inspector.tracing.roots import edges_of
from inspector.tracing.walk import AutogradNode, walk

MOST_NODES = 3_000
"""Maximum number of Nodes: torchviz's walk is recursive, and dot lays out every Node."""

_STATEMENT = re.compile(r'^\t"?(\d+)"?(?: -> "?(\d+)"?)?')


class NoOriginal(ValueError):
    """Why torchviz cannot draw a graph, in one line."""


def original_dot(
    outputs: Sequence[Any],
    names: Mapping[str, torch.Tensor],
    *,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
) -> Any:
    """What `torchviz.make_dot` returns, a `graphviz.Digraph`; nodes are called `n0`, `n1`, … in torchviz's order.

    outputs: the roots. names: torchviz's `params`. The other parameters are torchviz's own.
    Raises NoOriginal if torchviz cannot draw them, or would run user code.
    """
    tensors = tuple(output for output in outputs if isinstance(output, torch.Tensor))
    if not tensors:
        raise NoOriginal("backward started at a Node, but torchviz only takes tensors")
    bases = [base for tensor in tensors if (base := base_of(tensor)) is not None]  # torchviz draws these too
    _refuse(walk(edges_of([*tensors, *bases])).nodes)
    try:
        with warnings.catch_warnings(), unobserved():
            warnings.simplefilter("ignore", DeprecationWarning)  # it uses distutils
            import torchviz  # type: ignore[import-untyped]

            dot = torchviz.make_dot(
                tensors, dict(names), show_attrs=show_attrs, show_saved=show_saved, max_attr_chars=max_attr_chars
            )
    except ImportError as error:
        raise NoOriginal(f"torchviz cannot be imported: {error}") from error
    except RecursionError:
        raise NoOriginal("torchviz is recursive, and the graph is deeper than Python's stack") from None
    except Exception as error:
        text = " ".join(str(error).split())
        raise NoOriginal(f"torchviz raised {type(error).__name__}: {text}") from error
    dot.body[:] = _renamed(dot.body)
    return dot


def _refuse(nodes: Sequence[AutogradNode]) -> None:
    if len(nodes) > MOST_NODES:
        raise NoOriginal(f"the graph has {len(nodes):,} Nodes; torchviz is only used up to {MOST_NODES:,}")
    for node in nodes:
        if hasattr(type(node), "_raw_saved_tensors") and any(saved.state == "packed" for saved in saved_by(node)):
            raise NoOriginal(
                f"torchviz would unpack the saved tensors of {type(node).__name__}, which runs the script's "
                "unpack hook"
            )


def _renamed(statements: Iterable[str]) -> list[str]:
    """Replace ids by `n0`, `n1`, …, so that the same program gives the same text."""
    known: dict[str, str] = {}

    def name(identifier: str) -> str:
        return known.setdefault(identifier, f"n{len(known)}")

    def renamed(found: re.Match[str]) -> str:
        tail = "" if found[2] is None else f" -> {name(found[2])}"
        return f"\t{name(found[1])}{tail}"

    return [_STATEMENT.sub(renamed, statement) for statement in statements]
