"""The hooks that torch calls for every module."""

from __future__ import annotations

from typing import Any

import torch


def global_hooks() -> dict[str, list[Any]]:
    """The names of torch's dictionaries of them, and which hooks are registered in each."""
    return {
        name: list(hooks)
        for name, hooks in vars(torch.nn.modules.module).items()
        if name.startswith("_global_") and name.endswith("hooks")
    }
