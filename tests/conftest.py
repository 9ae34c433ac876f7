"""Fixtures of all tests: the fork server, `inspect_script`, golden files, and a watch for what is left behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forkserver import ForkServer
from golden import Golden
from hypothesis import HealthCheck, settings
from running import PRELOADED, ScriptRunner

# No test may fail because a machine is slow.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write the files of tests/golden anew.")


def pytest_collection_finish() -> None:
    """What thousands of collected tests are made of stays to the end: no collection of garbage visits it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    """A process that has imported torch and the inspector, and forks a child for every run."""
    with ForkServer(PRELOADED) as server:
        yield server


@pytest.fixture
def inspect_script(server: ForkServer, tmp_path: Path) -> ScriptRunner:
    """Writes a script into an empty folder and runs it: under `inspect`, or as plain python would."""
    return ScriptRunner(server, tmp_path)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares with files in tests/golden, or writes them under --update-golden."""
    return Golden(update=request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """A test has the same random numbers whichever tests ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def _state() -> dict[str, Any]:
    """All of this process that a recording touches, as it is now."""
    from global_hooks import global_hooks  # imports torch

    torch = sys.modules["torch"]
    modules = torch.nn.modules.module
    return {
        "engine entry point": torch.autograd.graph._engine_run_backward,
        "engine entry point of torch.autograd": torch.autograd._engine_run_backward,
        "global hooks": global_hooks(),
        "optimizers": {
            name: vars(torch.optim.Optimizer)[name] for name in ("__init__", "zero_grad", "profile_hook_step")
        },
        "step hooks": [
            list(hooks)
            for name, hooks in vars(sys.modules["torch.optim.optimizer"]).items()
            if name.startswith("_global_optimizer_") and name.endswith("hooks")
        ],
        "zero_grad": modules.Module.zero_grad,
        "clipping": (torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_),
        "has_torch_function": torch.overrides.has_torch_function,
        "swap_tensors": torch.utils.swap_tensors,
        "tracers": (torch.export.export, torch.jit._trace._trace_impl, torch.jit._trace.ONNXTracedModule.forward),
        "torch function modes": torch._C._len_torch_function_stack(),
        "torch dispatch modes": torch._C._len_torch_dispatch_stack(),
        "trace function": sys.gettrace(),
        "deep graphs": _deep_graphs() if "inspector.recording.deep_graph_keepalive" in sys.modules else 0,
        "gc callbacks": [call for call in gc.callbacks if "inspector" in str(call)],
        "gc": gc.isenabled(),
        "grad mode": torch.is_grad_enabled(),
    }


def _deep_graphs() -> int:
    """How many Nodes are kept alive."""
    return len(sys.modules["inspector.recording.deep_graph_keepalive"].DEEP_GRAPHS)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Nothing of ours stays installed after a test; where torch is not imported there is nothing to install."""
    before = _state() if "torch" in sys.modules else None
    yield
    if before is None:
        return
    if "inspector.recording.deep_graph_keepalive" in sys.modules and _deep_graphs():
        gc.collect()  # the test's own cycles; what is left then is kept by the inspector
    assert _state() == before
