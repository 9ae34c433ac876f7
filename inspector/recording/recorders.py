"""The recorders of a session."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from msgspec import Struct

from inspector.graph.values import unknown
from inspector.recording.forward import ForwardRecord, ForwardRecorder
from inspector.recording.parts import TRAINING, Parts
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.optimizer_events import OptimizerEvents
from inspector.recording.training.parameter_inventory import Given, ModuleInventory
from inspector.recording.training.retained_graphs import RetainedGraphs
from inspector.report import Mode
from inspector.tensor_stats import Batch
from inspector.tracing.walk import AutogradNode
from inspector.user_code.paths import UserFiles


class Recorders(Struct, frozen=True):
    """The recorders of a session, which all of its calls share.

    parts: runs their work, so that one may fail without the others.
    values: of the forward. forward: None if the forward is not recorded.
    """

    files: UserFiles
    parts: Parts
    values: Batch
    forward: ForwardRecorder | None
    inventory: ModuleInventory
    provenance: GradProvenance
    training: OptimizerEvents
    retained: RetainedGraphs

    def lines_paused(self) -> contextlib.AbstractContextManager[None]:
        """Exclude the inspector's work from line tracing, while it is open."""
        return contextlib.nullcontext() if self.forward is None else self.forward.lines_paused()


def make_recorders(files: UserFiles, mode: Mode, given: Given | None, ended: Callable[[], int]) -> Recorders:
    """Create the recorders of a session.

    given: the modules whose parameters are listed. ended: returns the number of calls that have ended.
    """
    parts, values = Parts(), Batch()
    record = ForwardRecord(values, files)
    leaves = record.cuts_and_writes.leaves

    def created_at(tensor: torch.Tensor) -> Any:
        """The line that created a non-leaf tensor, or unknown."""
        return record.outputs.created_at(tensor) or unknown("the operation that created it was not recorded")

    def training_failed(error: Exception) -> None:
        """After an internal error while recording optimizers: stop that part only."""
        parts.fail(TRAINING, error)
        training.uninstall()

    def source(node: AutogradNode) -> Any:
        nodes = None if forward is None else forward.nodes()
        return None if nodes is None else nodes.source(nodes.sequence_number_of(node))

    provenance = GradProvenance(leaves, files)
    training = OptimizerEvents(files, provenance, created_at, ended, training_failed)
    forward = None if mode == "none" else ForwardRecorder(mode, record, training)
    inventory = ModuleInventory(leaves, given)
    return Recorders(files, parts, values, forward, inventory, provenance, training, RetainedGraphs(source))
