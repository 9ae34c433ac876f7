"""What is recorded while the forward runs: lines, modules, values, names, cuts and in-place writes."""

from inspector.recorder.forward.modules import ModuleCall
from inspector.recorder.forward.outputs import Output
from inspector.recorder.forward.recorder import ForwardRecorder

__all__ = ["ForwardRecorder", "ModuleCall", "Output"]
