"""The device of other_device.cpp: after `register(library)` there is `tensor.to("other")`."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import types
from collections.abc import Callable
from pathlib import Path

import torch

SOURCE = Path(__file__).with_suffix(".cpp")


def built(folder: Path) -> Path:
    """The library in `folder`, compiled unless it is there for this source and torch. Fails without g++."""
    digest = hashlib.sha256(SOURCE.read_bytes() + torch.__version__.encode()).hexdigest()[:16]
    library, of_torch = folder / f"other_device-{digest}.so", Path(torch.__file__).parent
    if library.exists():
        return library
    unfinished = library.with_suffix(".unfinished")
    headers = [f"-I{of_torch / 'include'}", f"-I{of_torch / 'include/torch/csrc/api/include'}"]
    linked = [f"-L{of_torch / 'lib'}", "-ltorch_cpu", "-lc10"]
    command = ["g++", "-shared", "-fPIC", "-std=c++20", *headers, str(SOURCE), *linked, "-o", str(unfinished)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    unfinished.replace(library)
    return library


def register(library: str, *, double: bool = True) -> Callable[[], int]:
    """Once in a process. Gives what tells how often elements on the device were asked for, by whomever.

    double: whether the device has float64.
    """
    torch.ops.load_library(library)
    torch.utils.rename_privateuse1_backend("other")
    module = types.ModuleType("torch.other")
    vars(module).update(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 1,
        current_device=lambda: 0,
        manual_seed_all=lambda seed: None,
        _is_in_bad_fork=lambda: False,
    )
    torch._register_device_module("other", module)
    if not double:
        ctypes.CDLL(library).refuse_double()
    times_read_back = ctypes.CDLL(library).times_read_back
    times_read_back.restype = ctypes.c_int64
    return lambda: int(times_read_back())
