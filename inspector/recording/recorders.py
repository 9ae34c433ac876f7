"""What listens to the script while its backward calls are watched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

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


@dataclass(frozen=True, slots=True)
class Recorders:
    """One of each for all calls. forward: None where nothing of it is recorded. values: those of the forward.

    parts: runs their work, so that one may fail without the others.
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
        """While it is open, our own Python is not traced as the script's is."""
        return contextlib.nullcontext() if self.forward is None else self.forward.lines_paused()


def make_recorders(files: UserFiles, mode: Mode, given: Given | None, ended: Callable[[], int]) -> Recorders:
    """Those of a session. given: the modules whose parameters are noted. ended: how many calls have ended."""
    parts, values = Parts(), Batch()
    record = ForwardRecord(values, files)
    leaves = record.cuts_and_writes.leaves

    def created_at(tensor: torch.Tensor) -> Any:
        """The line that created a non-leaf tensor, or unknown."""
        return record.outputs.made_at(tensor) or unknown("its making was not recorded")

    def training_failed(error: Exception) -> None:
        """After an internal error while recording optimizers: stop that part only."""
        parts.fail(TRAINING, error)
        training.uninstall()

    def source(node: AutogradNode) -> Any:
        nodes = None if forward is None else forward.nodes()
        return None if nodes is None else nodes.source(nodes.sequence_number_of(node))

    provenance = GradProvenance(leaves, files)
    training = OptimizerEvents(files, provenance, created_at, ended, training_failed)
    forward = None if mode == "none" else ForwardRecorder(mode, record, training.uninstall)
    inventory = ModuleInventory(leaves, given)
    return Recorders(files, parts, values, forward, inventory, provenance, training, RetainedGraphs(source))
