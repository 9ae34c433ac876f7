"""The names of the tensors and numbers of a graph, also those that the script has bound to something else since.

A name has several bindings if the script assigns it again: in `for x in xs: h = tanh(w * h + u * x)`, `h` names
three tensors and `x` three numbers. Each then has its pass. Bindings belong together if they have the same name in
the same code. A name that several functions use belongs to the one whose tensor still has it at the backward call.
Where different tensors would still share a name, as a parameter and an argument of `forward`, all but leaves are
numbered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

from msgspec import Struct, field

from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.traced_graph import Pair, TracedGraph
from inspector.tracing.uses import SeenCall, SeenConstant, Use


class _Inputs(Protocol):
    @property
    def call(self) -> SeenCall | None: ...


class _Output(Protocol):
    @property
    def name(self) -> str | None: ...
    @property
    def scope(self) -> int: ...
    @property
    def inputs(self) -> _Inputs: ...


class Name(NamedTuple):
    """A name, and which of its bindings it is; None if it has only one."""

    text: str
    number: int | None = None


_Group: TypeAlias = tuple[str, int]
"""A name, and the id of the code that binds or uses it."""

_Key: TypeAlias = Pair | tuple[str, int]
"""A binding: a tensor of the graph, or a constant by what distinguishes it."""

_Time: TypeAlias = tuple[int, int]
"""The number of a Node, and whether it uses (0) or creates (1) the binding."""


class GraphNames(Struct):
    """tensors: of the tensors of the graph. saved: of saved constants, by position, where they have a number.

    numbers: of the constants of calls that have one, by the id of their SeenConstant.
    """

    tensors: dict[Pair, Name] = field(default_factory=dict)
    saved: dict[int, Name] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)


def names_of(record: TracedGraph, output: Callable[[Pair], _Output | None] | None) -> GraphNames:
    """The names of everything in a graph.

    output: the record of the operation that created a tensor; None if the forward was not recorded.
    """
    seen = {pair: tensor.name for pair, tensor in record.tensors.items() if tensor.name is not None}
    names = GraphNames({pair: Name(text) for pair, text in seen.items()})
    outputs: dict[Pair, _Output] = {}
    if output is not None:
        outputs = {pair: found for pair in _pairs(record) if (found := output(pair)) is not None}
    chosen = _chosen(seen, outputs)
    names.tensors |= {pair: Name(text) for (text, _), pairs in chosen.items() for pair in pairs}
    bindings = _Bindings(record, chosen)
    for pair, item in outputs.items():
        for constant in () if item.inputs.call is None else item.inputs.call.constants:
            bindings.add(constant, record.structure.sequence_nrs[pair[0]])
    bindings.number(names)
    bindings.distinguish(names)
    return names


def _pairs(record: TracedGraph) -> Iterator[Pair]:
    for position, count in enumerate(record.output_counts()):
        yield from ((position, output_nr) for output_nr in range(count))


def _chosen(seen: dict[Pair, str], outputs: dict[Pair, _Output]) -> dict[_Group, list[Pair]]:
    """The tensors that have the name that they got in the forward."""
    groups: dict[str, dict[int, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair, output in outputs.items():
        if output.name is not None:
            members = groups[output.name][output.scope]
            members += [pair] if seen.get(pair, output.name) == output.name else []
    holders = defaultdict(set)
    for pair, text in seen.items():
        found = outputs.get(pair)
        holders[text].add(found.scope if found is not None and found.name == text else None)
    chosen = {}
    for text, scopes in groups.items():
        held = holders.get(text, set(scopes))
        if len(held) != 1 or None in held:
            continue  # two tensors of different code have the name, or one that got it elsewhere
        (scope,) = held
        if scope is not None and (_is_name(text) or len(scopes[scope]) == 1):
            chosen[text, scope] = scopes[scope]
    return chosen


def _is_name(text: str) -> bool:
    """Whether a text is a name, whose second meaning is a rebinding: `h`, `self.h`, not `h[0]`."""
    return all(part.isidentifier() for part in text.split("."))


class _Bindings:
    """What the names of a graph stand for."""

    def __init__(self, record: TracedGraph, chosen: dict[_Group, list[Pair]]) -> None:
        self._record, self._chosen = record, chosen
        self._created: dict[_Group, dict[_Key, _Time]] = defaultdict(dict)
        self._used: dict[_Group, dict[_Key, _Time]] = defaultdict(dict)
        self._constants: dict[_Group, list[tuple[SeenConstant, int]]] = defaultdict(list)
        for group, pairs in chosen.items():
            for pair in pairs:
                self._created[group][pair] = record.structure.sequence_nrs[pair[0]], 1 + pair[1]
        for pair, tensor in record.tensors.items():
            is_leaf = record.structure.names[pair[0]] == ACCUMULATE_GRAD
            use = tensor.forward.use if is_leaf and tensor.name is None else None
            if use is not None and _is_name(use.name):
                self._used[use.name, use.scope][pair] = use.number, 0

    def add(self, constant: SeenConstant, number: int) -> None:
        """Add a constant of a call. number: of the Node that the call created."""
        if constant.text.name is not None and _is_name(constant.text.name):
            self._constants[constant.text.name, constant.scope].append((constant, number))

    def number(self, names: GraphNames) -> None:
        """Number the bindings of each name that has several."""
        uses = [tensor.forward.use for tensor in self._record.constants]
        saved = {id(use): at for at, use in enumerate(uses) if use is not None}
        for group in {**self._created, **self._used, **self._constants}:
            keys = self._keys(group)
            for constant, number in self._constants.get(group, ()):
                key = keys[id(constant)]
                self._used[group].setdefault(key, (number, 0))
            created, used = self._created.get(group, {}), self._used.get(group, {})
            bindings = sorted([*created, *used], key=lambda key: (created | used)[key])
            if len(bindings) < 2 or (not created and any(isinstance(key[0], int) for key in bindings)):
                continue
            first = 0 if created and bindings[0] in used else 1
            numbers = {key: first + turn for turn, key in enumerate(bindings)}
            for key, turn in numbers.items():
                if isinstance(key[0], int):
                    names.tensors[key[0], key[1]] = Name(group[0], turn)
                elif key[0] == _TENSOR and key[1] in saved:
                    names.saved[saved[key[1]]] = Name(group[0], turn)
            names.numbers |= {id(item): numbers[keys[id(item)]] for item, _ in self._constants.get(group, ())}

    def distinguish(self, names: GraphNames) -> None:
        """Number what different code calls by one name, leaves excepted."""
        meanings: dict[str, dict[Name, dict[_Meaning, int]]] = {}
        for name, meaning, time in self._meanings(names):
            of_name = meanings.setdefault(name.text, {}).setdefault(name, {})
            of_name[meaning] = min(time, of_name.get(meaning, time))
        numbers: dict[_Meaning, int] = {}
        for by_name in meanings.values():
            if all(len(found) == 1 for found in by_name.values()):
                continue
            times = {meaning: time for found in by_name.values() for meaning, time in found.items()}
            others = sorted((one for one in times if one.kind != _LEAF), key=lambda one: (times[one], one.kind))
            first = 2 if len(others) < len(times) else 1
            numbers |= {meaning: first + turn for turn, meaning in enumerate(others)}
        if numbers:
            self._renumber(names, numbers)

    def _meanings(self, names: GraphNames) -> Iterator[tuple[Name, _Meaning, int]]:
        """Every name with what it stands for, and the number of a Node that was created about then."""
        for pair, name in names.tensors.items():
            yield name, self._of_tensor(pair), self._record.nodes[pair[0]].sequence_nr
        for (text, _), constants in self._constants.items():
            for item, time in constants:
                yield Name(text, names.numbers.get(id(item))), _of_constant(item), time
        for position, name in self._saved(names):
            yield name, self._of_saved(position), 0 if (use := self._use(position)) is None else use.number

    def _renumber(self, names: GraphNames, numbers: dict[_Meaning, int]) -> None:
        for pair, name in names.tensors.items():
            if (number := numbers.get(self._of_tensor(pair))) is not None:
                names.tensors[pair] = Name(name.text, number)
        for constants in self._constants.values():
            for item, _ in constants:
                if (number := numbers.get(_of_constant(item))) is not None:
                    names.numbers[id(item)] = number
        for position, name in self._saved(names):
            if (number := numbers.get(self._of_saved(position))) is not None:
                names.saved[position] = Name(name.text, number)

    def _of_tensor(self, pair: Pair) -> _Meaning:
        is_leaf = self._record.structure.names[pair[0]] == ACCUMULATE_GRAD
        return _Meaning(_LEAF if is_leaf else _OUTPUT, pair)

    def _use(self, position: int) -> Use | None:
        return self._record.constants[position].forward.use

    def _saved(self, names: GraphNames) -> list[tuple[int, Name]]:
        """The saved constants with a name, by position."""
        found = []
        for position, tensor in enumerate(self._record.constants):
            use = tensor.forward.use
            text = tensor.name or (None if use is None else use.name)
            name = names.saved.get(position) or (Name(text) if text else None)
            found += [] if name is None else [(position, name)]
        return found

    def _of_saved(self, position: int) -> _Meaning:
        use = self._use(position)
        return _Meaning(_TENSOR, ("saved", position)) if use is None else _of_use(use)

    def _keys(self, group: _Group) -> dict[int, _Key]:
        """What distinguishes the constants of a group, by their ids: the tensor, or for numbers that a loop
        assigns or that differ, which time their instruction ran."""
        constants = [item for item, _ in sorted(self._constants.get(group, ()), key=lambda item: item[1])]
        numbers = [item for item in constants if item.type is None]
        differ = any(item.is_loops for item in numbers) or len({repr(item.value) for item in numbers}) > 1
        runs: Counter[int] = Counter()
        keys: dict[int, _Key] = {}
        for item in constants:
            if item.type is not None:
                keys[id(item)] = _TENSOR, id(item.use)
            else:
                keys[id(item)] = _NUMBER, runs[item.where] if differ else 0
                runs[item.where] += 1
        return keys


_TENSOR, _NUMBER = "tensor", "number"
_LEAF, _OUTPUT = "leaf", "output"


class _Meaning(NamedTuple):
    """What a name stands for. kind: of leaf, output, tensor (a constant) and number. key: which of them."""

    kind: str
    key: tuple[Any, ...]


def _of_constant(item: SeenConstant) -> _Meaning:
    if item.type is None:
        return _Meaning(_NUMBER, (item.scope, repr(item.value)))
    return _Meaning(_TENSOR, ("place", item.where)) if item.use is None else _of_use(item.use)


def _of_use(use: Use) -> _Meaning:
    """A tensor by its first use, which views of it have, too."""
    return _Meaning(_TENSOR, (use.name, use.scope, use.number) if use.scope else ("use", id(use)))
