"""What a rule needs to be checked, and why it is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from inspector.diagnosis.evidence import Evidence
from inspector.graph.values import is_unknown
from inspector.report.timeline import NOT_RECORDED

Need: TypeAlias = Literal[
    "gradients", "grads", "values", "forward", "saved", "steps", "optimizers",
    "gradcheck", "independence", "timeline",
]  # fmt: skip
"""The evidence a rule needs. gradients: the gradients of a backward call; grads: those, or the grads that it left
in leaves; values: values of the forward; forward: operations, cuts and writes; saved: saved tensors; optimizers:
that there is an optimizer; steps: that an optimizer stepped; gradcheck, independence: that `--gradcheck` or
`--check-independence` ran; timeline: the steps after the watched calls.
`missing_requirement` says what is missing."""

_OPTIONS = {"wrong-backward": "--gradcheck", "samples-mix": "--check-independence"}
"""The rules whose findings are made while the script runs, and the options that ask for them."""


def missing_requirement(evidence: Evidence, need: Need) -> str | None:
    """The reason why evidence of this kind is missing; None if it is not missing."""
    return _REQUIREMENTS[need](evidence)


def _no_gradients(evidence: Evidence) -> str | None:
    return None if evidence.calls_with_gradients else _no_call(evidence) or "no gradient was recorded"


def _no_grads(evidence: Evidence) -> str | None:
    leaves = (call.tensors[leaf] for call in evidence.calls for leaf in call.leaf_of.values())
    is_known = any(not is_unknown(leaf["after"]["grad"]) for leaf in leaves)
    return None if is_known else _no_gradients(evidence)


def _not_in_full(evidence: Evidence) -> str | None:
    if evidence.calls_recorded_in_full:
        return None
    return _no_call(evidence) or f"the forward was not recorded in full (--record {_mode(evidence)})"


def _no_saved(evidence: Evidence) -> str | None:
    if any(call.knows_saved for call in evidence.calls):
        return None
    return _no_call(evidence) or f"saved tensors were not read (--record {_mode(evidence)})"


def _no_step(evidence: Evidence) -> str | None:
    if any(event["event"] == "step" for event in evidence.events):
        return None
    return _no_optimizer(evidence) or "no optimizer stepped during the recorded calls"


def _no_optimizer(evidence: Evidence) -> str | None:
    if evidence.optimizers:
        return None
    mode = _mode(evidence)
    return f"optimizers were not recorded (--record {mode})" if mode == "none" else "no optimizer was used"


def _not_asked(rule: str) -> Callable[[Evidence], str | None]:
    """For a check that needs the script's own tensors: its findings, or why there are none, are in the report."""

    def missing(evidence: Evidence) -> str | None:
        if any(finding.rule == rule for finding in evidence.report.findings):
            return None
        said = [check for check in evidence.report.checked if check.rule == rule]
        return said[0].reason if said else f"only with {_OPTIONS[rule]}"

    return missing


def _no_call(evidence: Evidence) -> str | None:
    return None if evidence.calls else "backward was not called"


def _no_timeline(evidence: Evidence) -> str | None:
    return NOT_RECORDED if evidence.report.timeline is None else None


def _mode(evidence: Evidence) -> str:
    return evidence.report.recording["mode"]


_REQUIREMENTS: dict[Need, Callable[[Evidence], str | None]] = {
    "gradients": _no_gradients,
    "grads": _no_grads,
    "values": _not_in_full,
    "forward": _not_in_full,
    "saved": _no_saved,
    "steps": _no_step,
    "optimizers": _no_optimizer,
    "gradcheck": _not_asked("wrong-backward"),
    "independence": _not_asked("samples-mix"),
    "timeline": _no_timeline,
}
