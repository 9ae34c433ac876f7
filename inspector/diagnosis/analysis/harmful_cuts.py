"""The cuts that keep trained parameters from getting a gradient."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from msgspec import Struct

from inspector.diagnosis.analysis.cut_numbers import is_number_in
from inspector.diagnosis.cut_text import by_place
from inspector.diagnosis.evidence import Evidence
from inspector.graph.places import exact_place
from inspector.report.row_types import CutRow

_OUT_OF_SIGHT = ("item", "tolist", "numpy", "detach", "data")
"""Cuts that may end in plain numbers, whose further use is not recorded."""

SELECTING = frozenset(
    [
        *("topk", "sort", "argsort", "argmax", "argmin", "max", "min", "kthvalue", "median", "mode"),
        *("multinomial", "bucketize", "searchsorted"),
    ]
)
"""Operations that return indices."""


class HarmfulCut(Struct, frozen=True):
    """The cuts of one location, the parameters that they cut off, and the index of the backward call."""

    cuts: list[CutRow]
    parameters: list[str]
    index: int

    @property
    def selects(self) -> bool:
        """Whether indices are all that is left of the tensor."""
        first = self.cuts[0]
        return first["kind"] == "integer" and first["operation"] in SELECTING

    @property
    def nodes(self) -> tuple[str, ...]:
        """The Nodes that used the data of the cuts."""
        return tuple(dict.fromkeys(node for cut in self.cuts for node in cut["into"]))


def harmful_cuts(evidence: Evidence) -> Iterator[HarmfulCut]:
    """One for each location that cut off parameters without another source of gradient.

    The calls before a step that updates these parameters come first. In each, cuts whose result is known to reach
    the root come first, then those whose result is not recorded further.
    """
    left, after_step = _without_gradient(evidence), _after_a_step(evidence)
    for before_step, goes_on in itertools.product((True, False), (_reaches, _may_reach)):
        for call in evidence.calls_recorded_in_full:
            harmed = {name for name in left if not before_step or call.index in _before_a_step(evidence, name)}
            chosen = [cut for cut in call.row.cuts if goes_on(cut) and harmed.intersection(cut["beyond"] or ())]
            if goes_on is _may_reach:
                chosen = [
                    cut
                    for cut in chosen
                    if (call.index, _place(cut)) not in after_step or _is_used_later(evidence, cut, call.index)
                ]
            for cuts in by_place(chosen):
                names = [name for cut in cuts for name in cut["beyond"] or () if name in harmed & left]
                left -= set(names)
                if names:
                    yield HarmfulCut(cuts, names, call.index)


def _before_a_step(evidence: Evidence, name: str) -> set[int]:
    """The last calls before the steps of the optimizers that hold this leaf.

    Other calls train other parameters: a GAN detaches the output of its generator where it trains the critic.
    """
    return {step["after_call"] for step in evidence.steps if name in evidence.held_by(step["optimizer"])}


def _after_a_step(evidence: Evidence) -> set[tuple[int, object]]:
    """Index and place of the cuts that come only with the second call of a line, and those after it: as with a
    number that is printed at the end of each step, no loss needs them, as far as is known."""
    first: dict[object, set[object]] = {}
    found: set[tuple[int, object]] = set()
    for call in evidence.calls_recorded_in_full:
        places = {_place(cut) for cut in call.row.cuts if cut["early"]}
        known = first.setdefault(exact_place(call.row.location), places)
        found |= {(call.index, place) for place in places - known if place is not None}
    return found


def _is_used_later(evidence: Evidence, cut: CutRow, index: int) -> bool:
    """Whether a number that was computed after a step is part of the next loss, or of a later one."""
    calls = [call for call in evidence.calls_recorded_in_full if call.index >= index]
    return any(is_number_in(call, cut, node) for call in calls for node in call.functions)


def _place(cut: CutRow) -> object:
    return exact_place(cut["region"] or cut["source"])


def _reaches(cut: CutRow) -> bool:
    """Whether the data reach the root. A checkpoint without gradients is left to `unreachable-parameter`."""
    return cut["kind"] != "frozen_inputs" and bool(cut["into"] or cut["root"])


def _may_reach(cut: CutRow) -> bool:
    converts = cut["kind"] == "integer" and cut["operation"] not in SELECTING  # a length, the bound of a slice
    return (converts or cut["kind"] in _OUT_OF_SIGHT) and bool(cut["early"])


def _without_gradient(evidence: Evidence) -> set[str]:
    """Trained leaves under a cut that are not under any root.

    An optimizer whose parameters get no gradient, while parameters in no optimizer do, has the wrong parameters.
    But it has the right ones if those are made of its own. Leaves whose grads the script assigns are trained as
    well.
    """
    under = {name for call in evidence.calls for cut in call.row.cuts for name in cut["beyond"] or ()}
    wrong: set[str] = set()
    left_out = evidence.reached.intersection(row["name"] for row in evidence.parameters) - evidence.trained
    for row in evidence.optimizers if left_out else ():
        held = {name for group in row["groups"] for name in group["parameters"]}
        wrong |= held if not held & evidence.reached else set()
    wrong -= {
        name
        for call in evidence.calls
        for cut in call.row.cuts
        if cut["kind"] == "parameter" and _reaches(cut)
        for name in cut["beyond"] or ()
    }
    frozen = {leaf["name"] for leaf in evidence.leaves if not leaf["requires_grad"]}
    unharmed = evidence.reached | wrong | frozen | evidence.filled_by_script | evidence.trained_later
    return {name for name in under - unharmed if evidence.is_stepped(name)}
