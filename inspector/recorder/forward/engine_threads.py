"""Nodes that the engine made in a thread of its own, as it does on a device, to be differentiated again.

Each thread counts its Nodes from 0, so those have the numbers of Nodes of the script's thread as well. They are
told from these by what they are and what they lead to, and get numbers that no thread reaches.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TypeAlias

from inspector.tracer.walk import ACCUMULATE_GRAD_NUMBER, EMPTY, AutogradNode, Structure, Walk, name_of

_FOREIGN = 1 << 63
_EITHER = 1 << 62
_CALL = 32
"""A number of ours: the index of the call from this bit on, below it the number in the engine's thread."""

_Kind: TypeAlias = tuple[object, ...]
"""The name of a Node and where its edges lead: names, numbers and outputs."""


class EngineThreads:
    """What the engine's threads made in the backward calls of one thread of the script."""

    def __init__(self) -> None:
        self._made: dict[int, dict[_Kind, int]] = {}
        self._here: set[tuple[int, _Kind]] = set()

    def learn(self, call: int, result: Walk, known: Set[AutogradNode], here: range) -> None:
        """A call has ended. result: the graph of what it gave, its Nodes with the numbers that torch says.

        known: what was there before it. here: the numbers that the calling thread gave away meanwhile.
        """
        numbers = result.structure.sequence_nrs
        counted = [position for position, number in enumerate(numbers) if number != ACCUMULATE_GRAD_NUMBER]
        made = {k for k in counted if numbers[k] not in here and result.nodes[k] not in known}
        if not made:
            return  # as on the processor: all have numbers from `here`
        kinds = {position: _kind(result.structure, position) for position in counted}
        for position in counted:
            number, kind = numbers[position], kinds[position]
            if position not in made and kind not in self._made.get(number, {}):  # else an earlier call has made it
                self._here.add((number, kind))
        for position in made:
            self._made.setdefault(numbers[position], {}).setdefault(kinds[position], call)

    def tell_apart(self, structure: Structure) -> None:
        """Give the Nodes of a graph that the engine made numbers of their own."""
        numbers, made = structure.sequence_nrs, self._made
        shared = [position for position, number in enumerate(numbers) if number in made] if made else []
        told = [self._told(numbers[position], _kind(structure, position)) for position in shared]
        for position, number in zip(shared, told, strict=True):
            numbers[position] = number

    def number_of(self, node: AutogradNode) -> int:
        """The number of one Node, as `tell_apart` gives it."""
        number: int = node._sequence_nr()
        if number not in self._made:
            return number
        edges = [
            None if target is None else (name_of(target), target._sequence_nr(), input_nr)
            for target, input_nr in node.next_functions
        ]
        return self._told(number, (name_of(node), *edges))

    def _told(self, number: int, kind: _Kind) -> int:
        call = self._made[number].get(kind)
        if call is None:
            return number
        return _EITHER + number if (number, kind) in self._here else _FOREIGN + (call << _CALL) + number


def call_of(number: int) -> int | None:
    """The index of the backward call in which a Node was made that `tell_apart` has found."""
    if number < _FOREIGN or number == ACCUMULATE_GRAD_NUMBER:
        return None
    return (number - _FOREIGN) >> _CALL


def is_either(number: int) -> bool:
    """Whether a Node may have been made by the engine, or by the script."""
    return _EITHER <= number < _FOREIGN


def _kind(structure: Structure, position: int) -> _Kind:
    names, numbers = structure.names, structure.sequence_nrs
    edges = [
        None if target == EMPTY else (names[target], numbers[target], input_nr)
        for _, target, input_nr in structure.edges_of(position)
    ]
    return names[position], *edges
