"""The modules of one graph: their names in the script, and the passes through each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from inspector.recording.forward.called_modules import ModuleCall, OutermostModule
from inspector.user_code.module_names import RootName


class GraphModules:
    """Names and passes of the modules that created the Nodes of one graph.

    calls: the calls that created its Nodes. roots: `CalledModules.roots`. names: `CalledModules.root_names`.
    """

    def __init__(
        self, calls: Iterable[ModuleCall], roots: Sequence[OutermostModule], names: Sequence[RootName | None]
    ) -> None:
        chains = {call.number: list(_outwards(call)) for call in calls}
        all_calls = {call.number: call for chain in chains.values() for call in chain}
        counts = Counter(call.root for call in all_calls.values() if call.around is None)
        self._prefixes = _prefixes(dict(sorted(counts.items())), roots, names)
        self._members = {
            index: {key: member.path for key, member in name.members.items()}
            for index, name in enumerate(names)
            if name is not None
        }
        self._paths = {number: self._full_path(call) for number, call in all_calls.items()}
        numbers: dict[str, list[int]] = defaultdict(list)
        for number in sorted(all_calls):
            numbers[self._paths[number]].append(number)
        self._pass = {number: place for group in numbers.values() for place, number in enumerate(group, start=1)}
        self._passes = {number: self._passes_along(chain) for number, chain in chains.items()}

    def path(self, call: ModuleCall) -> str:
        """The path of a module. It begins with the script's variable if several outermost modules take part, or
        one of them several times."""
        return self._paths.get(call.number, call.path)

    def passes(self, call: ModuleCall) -> list[int] | None:
        """The number of the pass through each module along the path, as in `FunctionRow.passes`; None if every
        module was called, and once."""
        return self._passes.get(call.number)

    def _full_path(self, call: ModuleCall) -> str:
        key, dot, rest = call.path.partition(".")
        prefix = self._prefixes[call.root]
        if (member := self._members.get(call.root, {}).get(key)) is not None:
            return f"{member}{dot}{rest}"
        return f"{prefix}.{call.path}" if prefix and call.path else prefix or call.path

    def _passes_along(self, chain: Sequence[ModuleCall]) -> list[int] | None:
        path = self._paths[chain[0].number]
        parts = path.split(".") if path else []
        found = {self._paths[call.number]: self._pass[call.number] for call in reversed(chain)}
        passes = [found.get(".".join(parts[:end]), 0) for end in range(1, len(parts) + 1)]
        return None if set(passes) <= {1} else passes


def _outwards(call: ModuleCall | None) -> Iterator[ModuleCall]:
    """A call and those around it, innermost first."""
    while call is not None:
        yield call
        call = call.around


def _prefixes(
    counts: Mapping[int, int], roots: Sequence[OutermostModule], names: Sequence[RootName | None]
) -> dict[int, str]:
    """The name of each outermost module; empty for one that was called once and needs no name.

    counts: the number of calls of each. One without a name in the script is called by its class, `(Linear)`, and
    numbered if there are several.
    """
    known = {index: names[index] if index < len(names) else None for index in counts}
    known = {index: None if name is not None and name.members else name for index, name in known.items()}
    if len(counts) == 1 and None in known.values() and 1 in counts.values():
        return dict.fromkeys(counts, "")
    kinds = Counter(roots[index].kind for index, name in known.items() if name is None)
    numbers: Counter[str] = Counter()
    found: dict[int, str] = {}
    for index, name in known.items():
        kind = roots[index].kind
        if name is None:
            numbers[kind] += 1
            found[index] = f"({kind} {numbers[kind]})" if kinds[kind] > 1 else f"({kind})"
        else:
            found[index] = name.variable if counts[index] > 1 else name.path
    return found
