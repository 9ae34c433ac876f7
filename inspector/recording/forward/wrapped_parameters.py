"""Record where a tensor with a graph is wrapped in an `nn.Parameter`, which is a new leaf."""

from __future__ import annotations

from types import FrameType
from typing import Any

import torch

from inspector.recording.forward.cuts_and_writes import Where
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.training.leaf_registry import is_leaf
from inspector.torch_api.modes import hidden
from inspector.user_code.operand_texts import NO_TEXT
from inspector.user_code.source_expressions import Expression
from inspector.util.frame_locals import variables_of

_DATA = "data"


class WrappedParameters:
    """Records a cut where a tensor with a graph is made a parameter. record: filled in.

    torch passes `nn.Parameter(...)` to no mode, so this is called by the line tracer.
    """

    def __init__(self, record: ForwardRecord) -> None:
        self._record = record

    def made(self, frame: FrameType, parameter: Any) -> None:
        """The constructor returns. frame: its own."""
        data: Any = variables_of(frame).get(_DATA)
        user = self._record.users.innermost(frame.f_back)
        if user is None or not all(issubclass(type(one), torch.Tensor) for one in (data, parameter)):
            return
        with hidden():
            cuts = self._record.cuts_and_writes
            if not data.requires_grad:
                cuts.pass_on(data, parameter)
            elif not is_leaf(data):
                where = self._where(frame.f_back, user, data)
                cuts.add_cut("parameter", where, [data], [parameter])

    def _where(self, caller: FrameType | None, user: FrameType, data: torch.Tensor) -> Where:
        """caller: of the constructor. user: the innermost frame of the user."""
        place, direct = self._record.users.place(caller, user), user is caller
        expression = self._record.sources.expression(place) if place is not None and direct else None
        key = self._record.outputs.keys.of(data)
        return Where("Parameter", place, direct, key, None, _text_of_data(expression))


def _text_of_data(expression: Expression | None) -> str | None:
    """The source text of what is wrapped."""
    if expression is None:
        return None
    operands = expression.operands
    first = operands.positional[0] if operands.positional and not operands.is_list else NO_TEXT
    text = operands.keywords.get(_DATA, first)
    return text.name or text.expression
