"""Declares the operators that torchvision asks for when it is imported; no model needs them.

Its wheel may not fit the torch of a machine without a GPU, and then lacks them.
"""

import torch

LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
