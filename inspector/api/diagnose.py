"""`inspector.diagnose` and `inspector.assert_gradients`: find what is wrong with the gradients of a loss."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from msgspec import Struct
from torch import nn

from inspector.api.record import record
from inspector.api.trace import trace_named
from inspector.diagnosis import RULES, diagnose_report
from inspector.graph import Graph
from inspector.graph.rows import Rows
from inspector.graph.values import unknown
from inspector.options.choices import check_choice
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.leaf_registry import LeafRegistry
from inspector.recording.training.optimizer_events import OptimizerEvents
from inspector.recording.training.parameter_inventory import ModuleInventory, given_modules, given_optimizers
from inspector.report import BackwardCall, Check, Exit, Finding, Inventory, Recording, Report, ScriptRun
from inspector.tracing.roots import NoGraphError, roots_of
from inspector.typography import pluralize
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from

_NO_LINE = unknown("backward was not recorded")


class Diagnosis(Struct, frozen=True):
    """The findings, worst first, and the rules that found nothing or were not checked, with the reason."""

    findings: list[Finding]
    checked: list[Check]

    def __str__(self) -> str:
        lines = [_line(finding) for finding in self.findings] or ["no findings"]
        fine = sum(1 for check in self.checked if check.status == "nothing found")
        unseen = [check.rule for check in self.checked if check.status == "not checked"]
        lines.append(f"{pluralize(fine, 'rule')} without findings, {len(unseen)} not checked")
        return "\n".join(lines)


class GradientError(AssertionError):
    """Something is wrong with the gradients. findings: all of them; the message has one line for each."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(_line(finding) for finding in findings))
        self.findings = findings


def diagnose(loss: Any, model: Any = None, optimizer: Any = None) -> Diagnosis:
    """Find what is wrong with the graph of a loss in its current state, before or after `backward()`.

    loss: a tensor (or several, as in `trace`). model: an nn.Module, or a list or dict of them; optimizer: one or
    several. Without them only the graph is examined. Rules that need more than the graph (the operations of the
    forward, intermediate gradients, the steps) are listed as not checked; use `inspector.record` for those.
    Raises TypeError for arguments of other types.
    """
    names = names_from(sys._getframe(1), UserFiles(str(Path.cwd())), list(_alive(given_modules(model))))
    leaves = LeafRegistry()
    leaves.update_names(names)
    files = UserFiles(str(Path.cwd()))
    watch = OptimizerEvents(files, GradProvenance(leaves, files), lambda tensor: _NO_LINE, lambda: 1, _raise)
    for item in given_optimizers(optimizer):
        watch.add_optimizer(item)
    modules = ModuleInventory(leaves, given_modules(model))
    modules.note(names)
    report = Report(
        script=ScriptRun("<diagnose>", Exit(status=None, exception=None)),
        recording=Recording(mode="none", watched=1, drawn=[]),
        calls=[BackwardCall(1, _NO_LINE, _graph(loss, names))],
        inventory=Inventory(modules.parameters(), modules.modules(), watch.optimizers.rows()),
    )
    found = diagnose_report(report)
    return Diagnosis(found.findings, found.checked)


def _graph(loss: Any, names: Names) -> Graph:
    """The graph of a loss; if it has no grad_fn, an empty graph with that fact."""
    try:
        return trace_named(loss, names)
    except NoGraphError as error:
        return Graph(Rows, roots=[], error=str(error))


def assert_gradients(
    loss: torch.Tensor, model: Any = None, *, fail_on: Literal["error", "warning"] = "warning"
) -> None:
    """In a test: raise GradientError if something is wrong with the gradients of a loss.

    Runs and records `loss.backward(retain_graph=True)` once, and restores the grads afterwards. Every parameter of
    `model` (an nn.Module, or a list or dict of them) that requires a gradient must get one.
    fail_on: "warning" or "error".
    """
    check_choice("fail_on", fail_on, ("error", "warning"))
    roots_of(loss)
    named = list(_named_parameters(model))
    with _restored([tensor for _, tensor in named]), record(model, watch=1) as recording:
        torch.autograd.backward(loss, retain_graph=True)
        missing = [name for name, tensor in named if tensor.requires_grad and tensor.grad is None]
    levels = ("error",) if fail_on == "error" else ("error", "warning")
    findings = [finding for finding in recording.findings if finding.severity in levels]
    explained = {name for finding in findings for name in finding.parameters}
    if missing and not explained.issuperset(missing):
        findings.append(_missing([name for name in missing if name not in explained]))
    if findings:
        raise GradientError(findings)


def _missing(names: list[str]) -> Finding:
    """The finding for parameters of the given model that got no gradient."""
    return RULES["unreachable-parameter"].found(
        f"{pluralize(len(names), 'parameter')} got no gradient from this loss",
        "use the output of their modules in the loss, or pass only the trained part of the model",
        parameters=names,
    )


def _named_parameters(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    for prefix, module in _alive(given_modules(model)):
        for path, tensor in module.named_parameters():
            yield (f"{prefix}.{path}" if prefix else path), tensor


@contextlib.contextmanager
def _restored(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Set the grads of these tensors to None within the block, and restore them afterwards."""
    kept = [tensor.grad for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    try:
        yield
    finally:
        for tensor, grad in zip(tensors, kept, strict=True):
            tensor.grad = grad


def _alive(given: Any) -> Iterator[tuple[str, nn.Module]]:
    for name, reference in given.items():
        module = reference()
        if module is not None:
            yield name, module


def _line(finding: Finding) -> str:
    """`error detached at model.py:12: h is detached here (affects encoder.weight); use h itself`."""
    location = finding.location
    at = f" at {location['file']}:{location['line']}" if location is not None and "line" in location else ""
    library = None if location is None else location.get("library")
    if isinstance(library, dict):
        at = f" at {library['file']}:{library['line']}, called from {at.removeprefix(' at ')}"
    names = finding.parameters
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    affects = f" (affects {', '.join(names[:3])}{more})" if names else ""
    return f"{finding.severity} {finding.rule}{at}: {finding.message}{affects}; {finding.advice}"


def _raise(error: Exception) -> None:
    raise error
