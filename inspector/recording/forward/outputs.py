"""The outputs of Nodes, operation by operation: value, name, expression, source location."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from msgspec import Struct

from inspector.graph.row_types import Given, InputFields, Source
from inspector.recording.forward.constant_arguments import ConstantArguments
from inspector.recording.forward.cuts_and_writes import NO_CUTS, Key
from inspector.recording.forward.nonfinite_inputs import NonFiniteInputs
from inspector.recording.forward.tensor_keys import TensorKeys
from inspector.recording.forward.value_reader import ValueReader
from inspector.tensor_stats import Batch, Pending
from inspector.torch_api.tensor_references import TensorReference, reference_to
from inspector.tracing.uses import SeenCall
from inspector.user_code.source_expressions import Expression, Place, SourceExpressions


class InputFacts(Struct, frozen=True):
    """Facts about the inputs of the operation that created an output.

    fields: the keys of the row of its Node.
    given: the operation that made an input without a gradient NaN or infinite, or None.
    call: the operation with its constants, if it has some.
    """

    fields: InputFields
    given: Given | None
    call: SeenCall | None


class OutputRow(Struct, frozen=True):
    """One output of a Node, as created in the forward.

    name: the target the statement assigns it to: `h`, `self.h`; or None.
    scope: the id of the code of this statement.
    expression: the source text that computed it: `u * v`; None for an operation inside a library.
    operation: torch's name: `mul`.
    cuts: indices in `CutsAndWrites.cuts` of the cuts that its inputs went through.
    """

    name: str | None
    scope: int
    expression: str | None
    value: Pending
    source: Source | None
    operation: str
    cuts: frozenset[int]
    inputs: InputFacts


class StoredInputs(Struct, frozen=True):
    """Stored InputFacts. given: an origin in NonFiniteInputs."""

    fields: InputFields
    given: int | None = None
    call: SeenCall | None = None


NO_FACTS = StoredInputs({})
"""Shared by most outputs."""


class StoredOutput(Struct):
    """A stored output; its text is looked up on request."""

    operation: str
    place: Place | None
    value: Pending
    expression: str | None
    name: str | None
    cuts: frozenset[int]
    inputs: StoredInputs = NO_FACTS


class Outputs:
    """The recorded outputs of one thread. keys: of its tensors. values: reads them."""

    def __init__(self, batch: Batch, sources: SourceExpressions) -> None:
        self._sources = sources
        self.keys = TensorKeys()
        self.values = ValueReader(batch)
        self.non_finite = NonFiniteInputs()
        self.constants = ConstantArguments(self.values.read)
        self._recorded: dict[Key, StoredOutput] = {}
        self._inner: dict[Key, Pending] = {}
        self._leaves: dict[int, tuple[TensorReference, Place]] = {}

    def __len__(self) -> int:
        return len(self._recorded) + len(self._inner)

    def get(self, key: Key) -> OutputRow | None:
        """The record of an output of a Node."""
        kept = self._recorded.get(key)
        if kept is None:
            return None
        source = self._sources.source(kept.place) if kept.place else None
        inputs = kept.inputs
        given = None if inputs.given is None else self.non_finite.described(inputs.given, self._sources)
        facts = InputFacts(inputs.fields, given, inputs.call)
        scope = id(kept.place[0]) if kept.place else 0
        return OutputRow(
            kept.name, scope, kept.expression, kept.value, source, kept.operation, kept.cuts, facts
        )

    def add(self, tensor: torch.Tensor, key: Key, recorded: StoredOutput) -> None:
        """Record an output; its value is read now. It replaces an earlier tensor with the same key."""
        recorded.value = self.values.read(tensor)
        self._recorded[key] = recorded
        self.keys.add(tensor, key)

    def add_inner(self, key: Key, value: Pending) -> None:
        """Record the value of an output that an operation created inside, and that the script never had."""
        self._inner[key] = value

    def inner_value(self, key: Key) -> Pending | None:
        """The value of an output that an operation created inside; None if it was not recorded."""
        return self._inner.get(key)

    def add_leaf(self, tensor: torch.Tensor, place: Place) -> None:
        """Note where a leaf was created; the first location counts."""
        kept = self._leaves.get(id(tensor))
        if kept is None or kept[0]() is not tensor:
            self._leaves[id(tensor)] = (reference_to(tensor), place)

    def leaf_source(self, tensor: torch.Tensor) -> Source | None:
        """Where a leaf was created; None if not seen."""
        kept = self._leaves.get(id(tensor))
        return self._sources.source(kept[1]) if kept is not None and kept[0]() is tensor else None

    def created_at(self, tensor: torch.Tensor) -> Source | None:
        """Where a non-leaf tensor was created; None if not seen."""
        key = self.keys.of(tensor)
        output = None if key is None else self.get(key)
        return None if output is None else output.source

    def name_results(
        self, name: str, tensors: Sequence[torch.Tensor | None], expression: Expression, place: Place
    ) -> None:
        """Give the results of a call in user code its names and its text, where they have none yet.

        name: of the operation, for the results of a custom Function, which are recorded only now.
        tensors: the results; None for one that was not seen.
        """
        for index, tensor in enumerate(tensors):
            key = None if tensor is None else self.keys.of(tensor)
            if tensor is None or key is None:
                continue
            kept = self._recorded.get(key)
            if kept is None:
                kept = StoredOutput(name, place, Pending(), None, None, NO_CUTS)
                self.add(tensor, key, kept)
            kept.name = kept.name or expression.name(index, len(tensors))
            kept.expression = kept.expression or (None if expression.unpacked else expression.text)

    def set_name(self, tensor: torch.Tensor, text: str) -> None:
        """Set the text of a recorded output that has none."""
        key = self.keys.of(tensor)
        kept = None if key is None else self._recorded.get(key)
        if kept is not None and kept.expression is None:
            kept.expression = text

    def clear_names(self, tensors: list[torch.Tensor], text: str) -> None:
        """Remove name and text of those `tensors` that have this text: they are its intermediate results."""
        for tensor in tensors:
            key = self.keys.recorded(tensor)
            recorded = None if key is None else self._recorded.get(key)
            if recorded is not None and recorded.expression == text:
                recorded.name = recorded.expression = None
