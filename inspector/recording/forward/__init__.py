"""Record the forward: lines, modules, values, names, cuts and in-place writes."""

from inspector.recording.forward.module_hooks import ModuleCall
from inspector.recording.forward.outputs import OutputRow
from inspector.recording.forward.recorder import ForwardRecorder

__all__ = ["ForwardRecorder", "ModuleCall", "OutputRow"]
