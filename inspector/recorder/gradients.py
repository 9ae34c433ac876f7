"""What flows: hooks on every Node of a walk, for the time of one backward call.

Hooks hold positions, never Nodes or tensors: a closure over either is a cycle that nothing frees. They reduce a
gradient at once (`summaries.Batch`) and keep no reference to it, since one would make torch copy the gradient of
every parameter instead of handing it over.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from inspector.recorder.dynamo import hide_alone
from inspector.summaries import Batch, NormFacts, quick_norm
from inspector.tracer.flow import Flow
from inspector.tracer.nodes import REARRANGES
from inspector.tracer.walk import Structure, Walk

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]
Quick: TypeAlias = Callable[[int, torch.Tensor | None], NormFacts | None]


class GradientCapture:
    """Fills a Flow while the engine runs."""

    def __init__(self, batch: Batch) -> None:
        self.flow = Flow()
        self._batch = batch
        self._handles: list[Any] = []
        self._errors: list[Exception] = []

    def install(self, walk: Walk) -> None:
        """Put our hooks on every Node: on its way in, and in a full recording on its way out."""
        handles, errors, left = self._handles, self._errors, self._left
        flow, batch = self.flow, self._batch
        quick = _Norms(walk.structure).quick if batch.level == "light" else None
        for position, node in enumerate(walk.nodes):
            handles.append(node.register_prehook(_prehook(flow, batch, quick, position, errors)))
        if batch.level == "full":
            for position, node in enumerate(walk.nodes):
                handles.append(node.register_hook(_hook(left, position, errors)))

    def remove(self) -> None:
        """Take our hooks off again: on an AccumulateGrad they would fire in later calls. Raises what one raised,
        which within the hook would have ended the user's backward."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._errors:
            raise self._errors[0]

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note what `torch.autograd.grad` returned: no hook fires for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = self._batch.add(gradient)

    def _left(self, position: int, gradients: Gradients, _: Gradients) -> None:
        for slot, value in enumerate(self._batch.flowing(gradients)):
            self.flow.contributions[position, slot] = value


class _Norms:
    """The norms of a light recording, that of elements which a Node only rearranges taken once.

    A View or a T hands the elements of its gradient on, most often, and half of the Nodes come after one.
    """

    def __init__(self, structure: Structure) -> None:
        leading_to = Counter(structure.targets)
        sources = [source for source, name in enumerate(structure.names) if name in REARRANGES]
        targets = [(structure.targets[structure.starts[source]], source) for source in sources]  # by their slot 0
        self._sources = {target: source for target, source in targets if leading_to[target] == 1}
        self._leading = frozenset(self._sources.values())
        self._known: dict[int, _Known] = {}

    def quick(self, position: int, gradient: torch.Tensor | None) -> NormFacts | None:
        """`quick_norm` of the gradient that has arrived at a Node."""
        facts, source = None, self._sources.get(position)
        if source is not None and source in self._known:
            facts = _rearranged(gradient, self._known[source])
        if facts is None:
            facts = quick_norm(gradient)
        if facts is not None and gradient is not None and position in self._leading:
            self._known[position] = (
                weakref.ref(gradient.untyped_storage()),
                (gradient._version, int(gradient.storage_offset()), gradient.is_contiguous()),
                gradient.stride(),
                facts,
            )
        return facts


_Known: TypeAlias = tuple[
    weakref.ref[torch.UntypedStorage], tuple[int, int, bool], tuple[int, ...], NormFacts
]
"""Of a gradient: its memory; version, offset and whether it is contiguous; stride; facts."""


def _rearranged(gradient: torch.Tensor | None, known: _Known) -> NormFacts | None:
    """The facts of a gradient that holds the elements of a known one, none written since; None of another."""
    memory, layout, stride, (shape, dtype, norm) = known
    if (
        type(gradient) is not torch.Tensor
        or gradient.layout is not torch.strided
        or memory() is not gradient.untyped_storage()
        or gradient.dtype is not dtype
        or gradient.numel() != shape.numel()
        or (gradient._version, gradient.storage_offset()) != layout[:2]
    ):
        return None
    if gradient.is_contiguous() and layout[2]:
        return gradient.shape, dtype, norm
    places = sorted(zip(stride, shape, strict=True))
    is_permuted = places == sorted(zip(gradient.stride(), gradient.shape, strict=True))
    return (gradient.shape, dtype, norm) if is_permuted else None


def _prehook(
    flow: Flow, batch: Batch, quick: Quick | None, position: int, errors: list[Exception]
) -> Callable[[Gradients], None]:
    """Notes the turn of a Node and what has arrived; like `_hook`, but written out: it runs for every Node."""
    steps, arrived, norms = flow.steps, flow.arrived, flow.norms

    def prehook(gradients: Gradients) -> None:
        if errors:
            return
        previous = _set_eval_frame(None)
        try:
            steps.append(position)
            facts = quick(position, gradients[0]) if quick is not None and len(gradients) == 1 else None
            if facts is not None:
                norms[position] = facts
            else:
                arrived[position] = batch.flowing(gradients)
        except Exception as error:
            errors.append(error)
        finally:
            _set_eval_frame(previous)

    return prehook


def _hook(note: Callable[..., None], position: int, errors: list[Exception]) -> Callable[..., None]:
    """A hook that Dynamo does not look into: it may be running a compiled step that this backward belongs to.

    It does not raise; after the first error, which is kept in `errors`, it does nothing.
    """

    def hook(*gradients: Any) -> None:
        if errors:
            return
        previous = _set_eval_frame(None)  # `unseen`, written out
        try:
            note(position, *gradients)
        except Exception as error:
            errors.append(error)
        finally:
            _set_eval_frame(previous)

    return hook


_set_eval_frame = torch._C._dynamo.eval_frame.set_eval_frame
hide_alone(_prehook(Flow(), Batch(), None, 0, []), _hook(print, 0, []))  # all of them share their code
