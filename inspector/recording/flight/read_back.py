"""Read numbers back from devices, many at once: each time waits for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def on_cpu(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """These tensors on the CPU: those of a device and dtype are read together."""
    found = list(tensors)
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for position, tensor in enumerate(tensors):
        if not tensor.is_cpu:
            groups.setdefault((tensor.device, tensor.dtype), []).append(position)
    for positions in groups.values():
        joined = torch.cat([tensors[position].reshape(-1) for position in positions]).cpu()
        parts = torch.split(joined, [tensors[position].numel() for position in positions])
        for position, part in zip(positions, parts, strict=True):
            found[position] = part.view(tensors[position].shape)
    return found
