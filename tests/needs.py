"""What a test needs of torch. It is skipped on the older releases that lack it; on newer ones it fails."""

from __future__ import annotations

import sys

import pytest
import torch
from packaging.version import Version

from inspector.torch_api import Capability

RELEASE = Version(torch.__version__).release[:2]


def needs(capability: Capability) -> pytest.MarkDecorator:
    """Skip a test on an older torch that lacks a capability: what the test looks for is unknown there."""
    is_missing = not capability.is_available and RELEASE < (2, 10)
    return pytest.mark.skipif(is_missing, reason=f"torch {torch.__version__} lacks: {capability.name}")


def _counts_owners() -> bool:
    """Whether a Node's owners in C++ count as owners of the Python object as well."""
    root = torch.ones((), requires_grad=True) * 2
    node = root.grad_fn
    while_owned = sys.getrefcount(node)
    del root
    return sys.getrefcount(node) < while_owned


frees_recursively = pytest.mark.skipif(
    not _counts_owners() and RELEASE < (2, 13), reason=f"torch {torch.__version__} frees deep graphs by itself"
)
"""For tests of what keeps deep graphs alive: older releases have no need of it."""
