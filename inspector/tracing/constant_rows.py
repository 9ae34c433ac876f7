"""The rows of the constants of a Node, from the recorded call and from what the Node saved."""

from __future__ import annotations

from inspector.graph.row_types import Constant
from inspector.graph.values import Value, is_unknown
from inspector.tensor_stats import Pending
from inspector.tracing.ids import Ids
from inspector.tracing.names_over_time import Name
from inspector.tracing.node_lookup import NodeLookup
from inspector.tracing.operands import FoundConstant
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import TracedGraph


class ConstantRows:
    """Makes the rows of one graph."""

    def __init__(self, record: TracedGraph, lookup: NodeLookup, ids: Ids) -> None:
        self._record, self._lookup, self._ids = record, lookup, ids
        self._names = lookup.names

    def row(self, found: FoundConstant) -> Constant:
        """The row of one constant. The call comes first, since the tensor may have been written since."""
        seen, saved = found.seen, None if found.saved is None else self._record.constants[found.saved]
        name = self._name(found, saved)
        row: Constant = {
            "position": found.position,
            "name": None if name is None else name.text,
            "value": self._value(found, saved),
        }
        if name is not None and name.number is not None:
            row["pass"] = name.number
        if name is None and seen is not None and seen.text.expression is not None:
            row["expression"] = seen.text.expression
        if seen is not None and seen.type is not None:
            row["shape"], row["dtype"] = seen.type
        elif seen is None and saved is not None:
            facts = saved.facts.row()
            row["shape"], row["dtype"] = facts["shape"], facts["dtype"]
        use = None if saved is None else saved.forward.use
        if use is not None and use.shape is not None and name is not None and name.text == use.name:
            row["viewed"] = list(use.shape)
        if found.saved is not None:
            row["tensor"] = self._ids.tensor(found.saved)
        return row

    def _name(self, found: FoundConstant, saved: TensorSnapshot | None) -> Name | None:
        if found.seen is not None and found.seen.text.name is not None:
            return Name(found.seen.text.name, self._names.numbers.get(id(found.seen)))
        if found.saved is not None and found.saved in self._names.saved:
            return self._names.saved[found.saved]
        if found.seen is not None and found.seen.text.expression is not None:
            return None
        if saved is not None and saved.name is not None:
            return Name(saved.name)
        uses = (None if saved is None else saved.forward.use, None if found.seen is None else found.seen.use)
        return next((Name(use.name) for use in uses if use is not None and use.name), None)

    def _value(self, found: FoundConstant, saved: TensorSnapshot | None) -> Value:
        seen = None if found.seen is None else found.seen.value
        value_of = self._lookup.values.value
        value: Value = value_of(seen) if isinstance(seen, Pending) else found.value if seen is None else seen
        if saved is None or not (is_unknown(value) or (found.seen is None and found.value is None)):
            return value
        return value_of(saved.forward.content or saved.before["data"])
