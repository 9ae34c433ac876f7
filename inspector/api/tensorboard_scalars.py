"""Write the columns of a timeline as scalars of TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from inspector.report.timeline_arrays import Array


def write_scalars(columns: Mapping[str, Array], folder: str | Path) -> None:
    """Write arrays as scalars of TensorBoard, by step. Raises ImportError if the package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("the package tensorboard is not installed: pip install tensorboard") from error
    with SummaryWriter(str(folder)) as writer:
        for name, values in columns.items():
            if name != "step":
                for step, value in zip(columns["step"].tolist(), values.tolist(), strict=True):
                    if not math.isnan(value):
                        writer.add_scalar(name, value, step)
