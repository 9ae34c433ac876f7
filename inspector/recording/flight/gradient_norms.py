"""The gradient norms of all parameters, measured together, and the columns that they are kept in."""

from __future__ import annotations

import functools
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence

import torch
from msgspec import Struct

from inspector.recording.flight.careful_norms import NormRows, are_right, careful_norms, corrected, rows_of
from inspector.torch_api.foreach import FOREACH_NORMS, NARROW, narrow_norms_of
from inspector.torch_api.modes import is_observed, set_grad_enabled, unobserved
from inspector.torch_api.tensor_references import TensorReference, reference_to

MOST_COLUMNS = 64
"""Maximum number of columns of gradients; with more parameters, those of a module share one."""
_ORDINARY = {torch.Tensor}
_PLAIN = {torch.Tensor, torch.nn.Parameter, type(None)}
_vector_norm = torch.linalg.vector_norm


class StepNorms(Struct, frozen=True):
    """The norms of one step. parts: (positions of the parameters, their norms as a vector on their device, or as
    numbers: in each step, to make a tensor of them would take 50 microseconds)."""

    parts: tuple[tuple[tuple[int, ...], torch.Tensor | array[float]], ...]

    def vectors(self) -> list[tuple[tuple[int, ...], torch.Tensor]]:
        """The parts, all as vectors."""
        return [(positions, _vector(norms)) for positions, norms in self.parts]


def only(measured: StepNorms, positions: frozenset[int]) -> StepNorms:
    """The norms of some parameters."""
    parts: list[tuple[tuple[int, ...], torch.Tensor | array[float]]] = []
    for its, norms in measured.vectors():
        kept = [index for index, position in enumerate(its) if position in positions]
        if len(kept) == len(its):
            parts.append((its, norms))
        elif kept:
            parts.append((tuple(its[index] for index in kept), norms[torch.tensor(kept, device=norms.device)]))
    return StepNorms(tuple(parts))


def _vector(norms: torch.Tensor | array[float]) -> torch.Tensor:
    return torch.frombuffer(norms, dtype=torch.float64) if isinstance(norms, array) else norms


class _Usual(Struct):
    """The parameters whose grads could all be measured at once last time. held: see `TensorReference`.

    without: of the parameters that had no grad. rows: of large grads, by index: the dimensions of a row, or how
    the elements are cut into rows. is_plain: whether no parameter has a class of the script, which would see that
    its grad is read.
    """

    positions: tuple[int, ...]
    held: list[list[weakref.ref[torch.Tensor]]]
    without: list[list[weakref.ref[torch.Tensor]]]
    rows: list[tuple[int, tuple[int, ...], NormRows | None]]
    is_plain: bool

    def measure(self) -> StepNorms | None:
        """The norms, if the same parameters have such grads. It runs in every step, when nothing of the inspector
        is in the caches of the processor: it touches as few objects as it can. No mode or profiler may see it."""
        records = torch.is_grad_enabled()
        set_grad_enabled(False)
        try:
            grads = [held[0]().grad for held in self.held]  # type: ignore[union-attr]  # a parameter may be gone
            if set(map(type, grads)) != _ORDINARY:
                return None
            if self.without and any(held[0]().grad is not None for held in self.without):  # type: ignore[union-attr]
                return None
            norms = self._norms(grads)  # type: ignore[arg-type]
            return None if norms is None else StepNorms(((self.positions, norms),))
        except Exception:  # sparse, on several devices or none, of another dtype or shape
            return None
        finally:
            set_grad_enabled(records)

    def _norms(self, grads: list[torch.Tensor]) -> torch.Tensor | array[float] | None:
        parts = grads.copy()
        for index, dimensions, cut in self.rows:
            if cut is None:
                parts[index] = _vector_norm(grads[index], 2, dimensions, dtype=torch.float32)
            else:
                parts[index] = cut.norms(grads[index])
        norms = narrow_norms_of(parts)
        if not norms[0].is_cpu:
            return None if norms[0].is_meta else torch.stack(norms)
        numbers = array("d", [norm.item() for norm in norms])
        return numbers if are_right(numbers) else corrected(numbers, grads)


class GradientNorms:
    """The parameters that are followed, in the order in which they were first seen. They are not kept alive."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.references: list[TensorReference] = []
        self._known: dict[int, None] = {}  # ids of live tensors
        self._usual: _Usual | None = None

    def __len__(self) -> int:
        return len(self.names)

    def are_known(self, tensors: Iterable[torch.Tensor]) -> bool:
        """Whether all of these are followed."""
        return all(id(tensor) in self._known for tensor in tensors)

    def add(self, tensor: torch.Tensor, name: str) -> None:
        """Follow a parameter, unless it is followed."""
        key = id(tensor)
        if key not in self._known:
            self._known[key] = None
            reference = reference_to(tensor)
            reference.when_gone(tensor, functools.partial(self._known.pop, key))
            self.references.append(reference)
            self.names.append(name)
            self._usual = None

    def measure(self, wanted: frozenset[int] | None = None) -> StepNorms:
        """The norms of the grads that there are now: of ordinary dense tensors, in one pass on each device.

        wanted: the positions of the parameters; None for all.
        """
        usual = self._usual if wanted is None else None
        if usual is not None and usual.is_plain and not is_observed():
            if (found := usual.measure()) is not None:
                return found
            usual = None
        with unobserved():
            if usual is not None and (found := usual.measure()) is not None:
                return found
            grads = list(self._grads(wanted))
            places: dict[torch.device, tuple[list[int], list[torch.Tensor]]] = {}
            for position, grad in grads:
                positions, its = places.setdefault(grad.device, ([], []))
                positions.append(position)
                its.append(grad)
            self._usual = self._usual_of(grads) if wanted is None and len(places) == 1 else None
            return StepNorms(tuple((tuple(positions), careful_norms(its)) for positions, its in places.values()))

    def _grads(self, wanted: frozenset[int] | None) -> Iterator[tuple[int, torch.Tensor]]:
        """The ordinary dense grads, by position."""
        for position, reference in enumerate(self.references):
            tensor = reference() if wanted is None or position in wanted else None
            grad = None if tensor is None else tensor.grad
            if type(grad) is torch.Tensor and grad.layout is torch.strided and not grad.is_meta:
                yield position, grad  # the norm of a DTensor would be a collective, which can hang

    def _usual_of(self, measured: list[tuple[int, torch.Tensor]]) -> _Usual | None:
        """The grads of a step, if all can be measured at once. measured: all ordinary dense ones."""
        positions = tuple(position for position, _ in measured)
        others = set(range(len(self))).difference(positions)
        rest = [self.references[position] for position in sorted(others)]
        alive = [(reference, tensor) for reference in rest if (tensor := reference()) is not None]
        is_narrow = {grad.dtype for _, grad in measured} <= NARROW
        if FOREACH_NORMS.parts is None or not is_narrow or any(tensor.grad is not None for _, tensor in alive):
            return None
        held = [self.references[position].held for position in positions]
        rows = [
            (index, its.dimensions, None if its.width is None else its)
            for index, its in rows_of([grad for _, grad in measured]).items()
        ]
        is_plain = {type(reference()) for reference in self.references} <= _PLAIN
        return _Usual(positions, held, [reference.held for reference, _ in alive], rows, is_plain)

    def matrix(self, rows: Sequence[Sequence[StepNorms]]) -> tuple[torch.Tensor, torch.Tensor]:
        """The norms of several steps, and whether each was recorded: [steps, parameters] on the CPU.

        rows: for each step, what was measured for its optimizers.
        """
        values = torch.zeros((len(rows), len(self)), dtype=torch.float64)
        known = torch.zeros((len(rows), len(self)), dtype=torch.bool)
        groups: dict[tuple[tuple[int, ...], torch.device], list[tuple[int, torch.Tensor]]] = {}
        for row, several in enumerate(rows):
            for positions, norms in (part for measured in several for part in measured.vectors()):
                groups.setdefault((positions, norms.device), []).append((row, norms))  # watched steps: the CPU
        for (positions, _), found in groups.items():
            joined = torch.cat([norms for _, norms in found]).cpu()  # one wait a device
            numbers = joined.to(torch.float64).view(len(found), -1)  # which the device may not have
            index = torch.tensor([row for row, _ in found]).unsqueeze(1), torch.tensor(positions)
            values[index], known[index] = numbers, torch.tensor(True)
        return values, known


class GradientColumns:
    """The columns of the parameters: one each, or one for the parameters of a module if there are too many.

    names: of the columns. of_parameter: the column of each parameter.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.of_parameter: list[int] = []

    def update(self, parameters: Sequence[str]) -> None:
        """Give a column to each new parameter. The first parameters decide how deep the modules are."""
        new = parameters[len(self.of_parameter) :]
        known = {name: column for column, name in enumerate(self.names)}
        parts = _parts_that_fit(new, MOST_COLUMNS - len(self.names))
        for name in new:
            group = name if parts is None else ".".join(name.split(".")[:parts])
            if group not in known and len(self.names) >= MOST_COLUMNS:
                group = self.names[-1]
            column = known.setdefault(group, len(self.names))
            if column == len(self.names):
                self.names.append(group)
            self.of_parameter.append(column)

    def parameters(self, column: int, names: Sequence[str]) -> list[str]:
        """The names of the parameters in a column."""
        return [name for name, its in zip(names, self.of_parameter, strict=False) if its == column]

    def combined(self, values: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The norm over the parameters of each column: [steps, columns], and whether one of them was recorded."""
        index = torch.tensor(self.of_parameter, dtype=torch.int64)
        if len(self.names) == len(index):
            return values, known
        shape = (len(values), len(self.names))
        squares = torch.zeros(shape, dtype=torch.float64).index_add_(1, index, values.where(known, 0.0).square())
        counts = torch.zeros(shape, dtype=torch.int64).index_add_(1, index, known.long())
        return squares.sqrt(), counts > 0


def _parts_that_fit(names: Sequence[str], room: int) -> int | None:
    """How many parts of their paths leave at most `room` different names; None for the whole paths."""
    if len(set(names)) <= room:
        return None
    most = max(name.count(".") + 1 for name in names)
    for parts in range(most - 1, 1, -1):
        if len({tuple(name.split(".")[:parts]) for name in names}) <= room:
            return parts
    return 1
