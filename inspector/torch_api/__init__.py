"""The only access to torch beyond its documented interface.

Each `Capability` is one part of it. It is looked up on first use, and what depends on it is turned off if it is
missing or fails. Nothing else in `inspector` uses a private name of torch.
"""

from typing import Any

from inspector.torch_api.capability import Capability
from inspector.torch_api.compilation import COMPILER, FRAME_EVALUATION
from inspector.torch_api.compiled_graphs import COMPILED_GRAPHS
from inspector.torch_api.engine import CURRENT_NODE, ENTRY_POINT, GRAPH_TASK, HOOK_DICT, REGISTRAR
from inspector.torch_api.foreach import FOREACH_NORMS
from inspector.torch_api.formulas import FORMULAS
from inspector.torch_api.gradcheck import SECOND_PASS
from inspector.torch_api.gradient_buckets import GRADIENT_BUCKETS
from inspector.torch_api.inner_operations import DISPATCH_MODE, OVERRIDE_CHECKS
from inspector.torch_api.modes import FAST_PATHS, FUNCTION_MODES, HIDDEN_OPERATIONS, PROFILING
from inspector.torch_api.modules import MODULE_DICTIONARIES
from inspector.torch_api.nodes import OUTPUT_METADATA, SEQUENCE_NUMBERS
from inspector.torch_api.process_group import DEFAULT_GROUP
from inspector.torch_api.reentrant import CHECKPOINT
from inspector.torch_api.saved_tensors import ATTRIBUTES, DEFAULT_HOOKS, SAVED_TENSORS, WRAPPERS
from inspector.torch_api.sharding import SHARDED_PARAMETERS
from inspector.torch_api.tensors import (
    BATCHED_GRADIENTS,
    FAKE_TENSORS,
    STORAGE_IDENTITY,
    TRANSFORMS,
    VERSIONS,
    VIEWS,
)
from inspector.torch_api.tracers import TRACE_MODES, TRACERS

CAPABILITIES: tuple[Capability[Any], ...] = (
    ENTRY_POINT,
    GRAPH_TASK,
    CURRENT_NODE,
    HOOK_DICT,
    REGISTRAR,
    SEQUENCE_NUMBERS,
    OUTPUT_METADATA,
    ATTRIBUTES,
    SAVED_TENSORS,
    WRAPPERS,
    DEFAULT_HOOKS,
    VERSIONS,
    VIEWS,
    STORAGE_IDENTITY,
    FUNCTION_MODES,
    FAST_PATHS,
    OVERRIDE_CHECKS,
    DISPATCH_MODE,
    HIDDEN_OPERATIONS,
    PROFILING,
    MODULE_DICTIONARIES,
    TRANSFORMS,
    BATCHED_GRADIENTS,
    FAKE_TENSORS,
    TRACE_MODES,
    TRACERS,
    FRAME_EVALUATION,
    COMPILER,
    COMPILED_GRAPHS,
    CHECKPOINT,
    FOREACH_NORMS,
    FORMULAS,
    SECOND_PASS,
    SHARDED_PARAMETERS,
    DEFAULT_GROUP,
    GRADIENT_BUCKETS,
)


def remarks() -> list[str]:
    """A sentence for each capability that was needed in this process, but is missing or has failed."""
    return [capability.remark for capability in CAPABILITIES if capability.remark is not None]


__all__ = ["CAPABILITIES", "Capability", "remarks"]
