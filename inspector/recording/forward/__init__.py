"""Record the forward: lines, modules, values, names, cuts and in-place writes.

`ForwardRecorder` installs the hooks, which fill a `ForwardRecord`; `ThreadNodes` looks it up by Node.
"""

from inspector.recording.forward.called_modules import ModuleCall
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.outputs import OutputRow
from inspector.recording.forward.recorder import ForwardRecorder
from inspector.recording.forward.thread_nodes import ThreadNodes

__all__ = ["ForwardRecord", "ForwardRecorder", "ModuleCall", "OutputRow", "ThreadNodes"]
