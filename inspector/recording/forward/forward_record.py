"""What is recorded of a forward: written by the hooks of `ForwardRecorder`, read by everything after it."""

from __future__ import annotations

import threading

from inspector.recording.forward.called_modules import CalledModules
from inspector.recording.forward.cuts_and_writes import CutsAndWrites
from inspector.recording.forward.node_places import NodePlaces
from inspector.recording.forward.outputs import Outputs
from inspector.recording.forward.user_frames import UserFrames
from inspector.tensor_stats import Batch
from inspector.user_code.paths import UserFiles
from inspector.user_code.source_expressions import SourceExpressions


class ForwardRecord:
    """The recorded forward.

    batch: where values are read; `OutputRow.value` is filled in when the batch is read.
    files: recognises user code.
    outputs, cuts_and_writes: of the recorder's thread only. places, modules: of every thread, see `ThreadNodes`.
    remarks: why something was not recorded, as sentences.
    thread: the thread that started the recorder.
    """

    def __init__(self, batch: Batch, files: UserFiles) -> None:
        self.users = UserFrames(files)
        self.sources = SourceExpressions(files)
        self.outputs = Outputs(batch, self.sources)
        self.cuts_and_writes = CutsAndWrites(self.sources)
        self.places = NodePlaces()
        self.modules = CalledModules(self.users, self.sources)
        self.remarks: list[str] = []
        self.thread = 0

    def is_recorders_thread(self) -> bool:
        """Whether the calling thread is the one that started the recorder."""
        return threading.get_ident() == self.thread

    def direct_lines(self) -> frozenset[tuple[str, int, str]]:
        """File, line and name of the operations that user code called itself."""
        return frozenset(
            (code.co_filename, self.sources.line((code, instruction)), name)
            for (_, instruction), (code, name) in self.places.called.items()
        )

    def add_remark(self, reason: str) -> None:
        """Add a remark, unless it is there already."""
        if reason not in self.remarks:
            self.remarks.append(reason)
