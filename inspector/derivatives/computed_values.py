"""Values that were not recorded, such as those inside of a backward under create_graph, computed from operands.

A value is kept only if what its readers compute from it is what torch computed.
"""

from __future__ import annotations

from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.small_tensor import ROUNDING, SmallTensor, small_tensor, values_agree
from inspector.graph.row_types import FunctionRow
from inspector.graph.values import is_unknown


def add_computed_values(forward: ForwardReconstruction) -> None:
    """Set `computed` on functions whose output was not seen."""
    confirmed: dict[str, bool] = {}
    for function in reversed(forward.order):  # from the root
        row = forward.function(function)
        if row["is_leaf"] or not _is_unseen(row):
            continue
        readers = list(forward.uses(function))
        confirmed[function] = bool(readers) and all(
            confirmed.get(reader, False) if _is_unseen(forward.function(reader)) else _agrees(forward, reader)
            for reader in readers
        )
        value = forward.value((function, 0)) if confirmed[function] else None
        if value is not None:
            row["computed"] = value.tolist()


def _is_unseen(row: FunctionRow) -> bool:
    data = row["before"]["data"] if isinstance(row["before"], dict) else None
    return is_unknown(data)


def _agrees(forward: ForwardReconstruction, reader: str) -> bool:
    """Whether the recorded output of a function is what the tables compute from its operands."""
    recorded = small_tensor(forward.function(reader)["before"]["data"])
    found = forward.apply(reader, {})
    if recorded is None or found is None or recorded.shape != found.shape:
        return False
    return _are_equal(found, recorded)


def _are_equal(one: SmallTensor, other: SmallTensor) -> bool:
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return all(values_agree(*pair, ROUNDING) for pair in pairs)
