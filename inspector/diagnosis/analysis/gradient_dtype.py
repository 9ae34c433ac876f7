"""The dtype of a gradient."""

from __future__ import annotations

from typing import Any

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.values import is_summary

HALF = "float16"
"""The dtype with a smallest positive number of 6e-8; bfloat16 has the range of float32."""


def gradient_dtype(call: BackwardView, node: str, value: Any) -> str | None:
    """The dtype of a gradient for the output of `node`; None if unknown."""
    if is_summary(value):
        return str(value["dtype"])
    known = [call.tensors[tensor]["dtype"] for tensor in call.outputs.get(node, ())]
    return known[0] if known else None
