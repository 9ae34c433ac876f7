"""torch's own databases of operators, modules and custom Functions under `inspector.record`, with torch as oracle.

Each sample runs without the inspector, under a dispatch mode that sees every intermediate result, and recorded.
The recorded graph must have the same Nodes and edges, the gradients the same bits, and every value that the graph
gives must be torch's. With --draw, each graph must be drawn in every style, and the diagnosis must end. Run as a
program, it prints what is wrong, which Nodes have no value, and what the diagnosis found::

    python tests/sweep.py [operators|modules|functions ...] [--only NAME] [--samples N] [--draw]

torch's databases need the package `expecttest`.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]

import geometry  # noqa: E402
import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import inspector  # noqa: E402
from inspector.graph import is_unknown  # noqa: E402
from inspector.graph.hook_changes import hook_changes  # noqa: E402
from inspector.graph.node_names import op_of  # noqa: E402
from inspector.styles import STYLES  # noqa: E402


@dataclass(frozen=True)
class Sample:
    """A function, made anew for each run, that returns its results, and the leaves of its last run."""

    name: str
    make: Callable[[], tuple[Callable[[], Any], list[torch.Tensor]]]


@dataclass
class Tally:
    """What a sweep found.

    wrong: what differs from torch, as lines. nodes, known, checked: numbers of Nodes, of those with a value, and
    of those whose value was compared. lacking: those without, by name. findings: the samples with a warning or an
    error, by rule. draws: whether every style is tried.
    """

    wrong: list[str] = field(default_factory=list)
    nodes: int = 0
    known: int = 0
    checked: int = 0
    lacking: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[str]] = field(default_factory=dict)
    draws: bool = False


class Oracle(TorchDispatchMode):
    """Keeps the results of every operation below autograd, by the newest Node then."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, list[tuple[str, list[torch.Tensor]]]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        name = str(function).split(".")[1].strip("_").removesuffix("_forward")
        number = torch._C._autograd._get_sequence_nr() - 1
        copies = [tensor.detach().clone() for tensor in tensors_of(result)]
        self.seen.setdefault(number, []).append((name, copies))
        return result

    def results(self, node: Any) -> list[torch.Tensor] | None:
        """The results of the operation of a Node; None if that is not certain."""
        number, op = node._sequence_nr(), op_of(node.name()).partition(".")[0]
        named = [found for name, found in self.seen.get(number, []) if name == op]
        return named[0] if len(named) == 1 else None


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in a result of lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_of(item)
    elif isinstance(value, dict):
        yield from tensors_of(list(value.values()))


def nodes_under(root: torch.Tensor) -> list[Any]:
    """The Nodes of a graph in pre-order, which is the order of the ids."""
    found: dict[Any, None] = {}
    waiting = [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [target for target, _ in reversed(node.next_functions)]
    return list(found)


def _root(result: Any) -> torch.Tensor | None:
    used = [item for item in tensors_of(result) if item.requires_grad and item.layout is torch.strided]
    terms = [item.abs().sum() if item.is_complex() else item.sum() for item in used if not item.is_nested]
    return sum(terms[1:], terms[0]) if terms else None


def _edges(nodes: list[Any]) -> list[Any]:
    index = {node: position for position, node in enumerate(nodes)}
    rows = [[(index.get(target), nr) for target, nr in node.next_functions] for node in nodes]
    return [(_name(node), row) for node, row in zip(nodes, rows, strict=True)]


def _name(node: Any) -> str:
    return str(node.name()).removeprefix("torch::autograd::")


def _run(sample: Sample, mode: Any = None) -> tuple[Any, list[torch.Tensor]]:
    torch.manual_seed(0)
    function, leaves = sample.make()
    if mode is None:
        return _root(function()), leaves
    with mode:
        return _root(function()), leaves


def check(sample: Sample, tally: Tally) -> None:
    """Compare one sample with torch, and add what was found to the tally."""
    plain, leaves = _run(sample)
    if plain is None:
        return
    structure = _edges(nodes_under(plain))
    plain.backward()
    gradients = [leaf.grad for leaf in leaves]
    torch.manual_seed(0)
    function, leaves = sample.make()
    with inspector.record() as recording:
        root = _root(function())
        recorded = _edges(nodes_under(root))
        root.backward()
    if recording.failure or len(recording.calls) != 1:
        tally.wrong.append(f"{sample.name}: {recording.failure or 'no call was recorded'}")
        return
    if recorded != structure:
        tally.wrong.append(f"{sample.name}: other Nodes than without the inspector")
    if not all(map(_same, gradients, (leaf.grad for leaf in leaves))):
        tally.wrong.append(f"{sample.name}: other gradients than without the inspector")
    rows = [row for _, row in recording.calls[0].graph.functions()]
    if [row["name"] for row in rows] != [name for name, _ in structure]:
        tally.wrong.append(f"{sample.name}: the recorded graph has other Nodes")
        return
    for row in rows:
        data = row["before"]["data"]
        parts = data if isinstance(data, list) else [data]
        is_known = not any(map(is_unknown, parts))
        tally.nodes, tally.known = tally.nodes + 1, tally.known + is_known
        if not is_known:
            tally.lacking[row["name"]] += 1
    for change in hook_changes(recording.calls[0].graph):  # a sample has no hooks
        tally.wrong.append(f"{sample.name}: a hook changed {change.tensor}: {change.sent} to {change.arrived}")
    _check_values(sample, rows, structure, tally)
    if tally.draws:
        _check_pictures(sample, recording, tally)


def _check_pictures(sample: Sample, recording: Any, tally: Tally) -> None:
    """Draw the graph in every style, check the pictures, and note what the diagnosis finds."""
    graph = recording.calls[0].graph
    for style in STYLES:
        try:
            picture = inspector.draw(graph, style=style, depth="full", detail="expert")
            ElementTree.fromstring(picture.svg())
            problems = geometry.problems(picture.figure.scene)
            tally.wrong += [f"{sample.name}: style {style}: {problem}" for problem in problems]
        except Exception as error:
            tally.wrong.append(f"{sample.name}: style {style}: {type(error).__name__}: {error}")
    try:
        rules = {finding.rule for finding in recording.findings if finding.severity in ("warning", "error")}
    except Exception as error:
        tally.wrong.append(f"{sample.name}: diagnosis: {type(error).__name__}: {error}")
        return
    for rule in sorted(rules):
        tally.findings.setdefault(rule, []).append(sample.name)


def _check_values(sample: Sample, rows: list[Any], structure: list[Any], tally: Tally) -> None:
    oracle = Oracle()
    root, _ = _run(sample, oracle)
    nodes = nodes_under(root)
    names = [name for name, _ in structure]
    if [_name(node).replace("ViewBackward0", "ReshapeAliasBackward0") for node in nodes] != [
        name.replace("ViewBackward0", "ReshapeAliasBackward0") for name in names
    ]:
        return  # under a dispatch mode torch takes another path
    for row, node in zip(rows, nodes, strict=True):
        results = oracle.results(node)
        data = row["before"]["data"]
        if results is None or is_unknown(data) or len(node._input_metadata) != 1 or len(results) != 1:
            continue
        tally.checked += 1
        if not _agrees(data, results[0]):
            tally.wrong.append(f"{sample.name}: {row['name']} is {data}, by torch {results[0]}")


def _agrees(data: Any, result: torch.Tensor) -> bool:
    """Whether a value is that of a tensor: exactly if it is given in full, else in its statistics."""
    if result.numel() == 0:
        return not torch.tensor(data).numel()
    if not isinstance(data, dict):
        return _same(torch.tensor(data, dtype=result.dtype), result)
    if data["shape"] != list(result.shape) or "mean" not in data:
        return data["shape"] == list(result.shape)
    wide = (result.abs() if result.is_complex() else result).to(torch.float64)
    expected = [torch.linalg.vector_norm(wide), wide.mean(), wide.amin(), wide.amax()]
    given = torch.tensor([data[name] for name in ("norm", "mean", "min", "max")], dtype=torch.float64)
    size = wide[torch.isfinite(wide)].abs().mean().nan_to_num() if wide.numel() else torch.tensor(0.0)
    return torch.allclose(given, torch.stack(expected), rtol=1e-5, atol=float(size) * 1e-5, equal_nan=True)


def _same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    one, other = (item.detach() for item in (one, other))
    if one.layout is not torch.strided:
        one, other = one.to_dense(), other.to_dense()
    return one.dtype == other.dtype and one.shape == other.shape and bool(((one == other) | (one != one)).all())


# The databases


def _fresh(value: Any, leaves: list[torch.Tensor]) -> Any:
    """A copy of an argument, with new leaves."""
    if isinstance(value, torch.Tensor):
        if not value.requires_grad or value.layout is not torch.strided:
            return value
        copy = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype).copy_(value.detach())
        leaves.append(copy.requires_grad_())
        return copy
    if isinstance(value, (list, tuple)):
        return type(value)(_fresh(item, leaves) for item in value)
    return {key: _fresh(item, leaves) for key, item in value.items()} if isinstance(value, dict) else value


def operators(only: str, most: int) -> Iterator[Sample]:
    """Samples of torch's database of operators, in float32."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        if only not in info.formatted_name or torch.float32 not in info.dtypes or not info.supports_autograd:
            continue
        samples = list(info.sample_inputs("cpu", torch.float32, requires_grad=True))
        for number, sample in enumerate(samples[:most]):
            yield Sample(f"{info.formatted_name} {number}", _maker(info, sample))


def functions(only: str, most: int) -> Iterator[Sample]:
    """Samples of torch's database of custom Functions."""
    from torch.testing._internal.autograd_function_db import autograd_function_db

    for info in autograd_function_db:
        if only in info.name:
            samples = list(info.sample_inputs("cpu", torch.float32, requires_grad=True))
            for number, sample in enumerate(samples[:most]):
                yield Sample(f"{info.name} {number}", _maker(info, sample))


def _maker(info: Any, sample: Any) -> Any:
    def make() -> Any:
        leaves: list[torch.Tensor] = []
        first, rest, options = (_fresh(item, leaves) for item in (sample.input, sample.args, sample.kwargs))
        return lambda: info.op(first, *rest, **options), leaves

    return make


def modules(only: str, most: int) -> Iterator[Sample]:
    """Samples of torch's database of modules, in training and in evaluation."""
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        for training in (True, False) if only in info.name else ():
            options = {"device": "cpu", "dtype": torch.float32, "requires_grad": True, "training": training}
            torch.manual_seed(0)
            for number, given in enumerate(info.module_inputs_func(info, **options)[:most]):
                mode = "training" if training else "evaluation"
                yield Sample(f"{info.name} {number} in {mode}", _built(info, given, training))


def _built(info: Any, given: Any, training: bool) -> Any:
    def make() -> Any:
        module = info.module_cls(*given.constructor_input.args, **given.constructor_input.kwargs).train(training)
        leaves = list(module.parameters())
        passed = given.forward_input
        arguments, options = (_fresh(item, leaves) for item in (passed.args, passed.kwargs))
        return lambda: module(*arguments, **options), leaves

    return make


DATABASES: dict[str, Callable[[str, int], Iterator[Sample]]] = {
    "operators": operators,
    "modules": modules,
    "functions": functions,
}


def sweep(samples: Iterable[Sample], *, draws: bool = False) -> Tally:
    """Check samples. One that torch itself cannot run is left out."""
    tally = Tally(draws=draws)
    for sample in samples:
        try:
            root, _ = _run(sample)
            if root is not None:
                root.backward()
        except Exception:
            continue
        check(sample, tally)
    return tally


def main() -> None:
    """Check the chosen databases and print what was found."""
    parser = argparse.ArgumentParser(prog="python tests/sweep.py", description=__doc__.splitlines()[0])
    parser.add_argument("databases", nargs="*", choices=[*DATABASES, []], help="which to check, by default all")
    parser.add_argument("--only", default="", help="samples whose name contains this")
    parser.add_argument("--samples", type=int, default=2, help="most samples of each (default: 2)")
    parser.add_argument("--draw", action="store_true", help="also draw each graph in every style, and diagnose it")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in chosen.databases or DATABASES:
        tally = sweep(DATABASES[name](chosen.only, chosen.samples), draws=chosen.draw)
        share = tally.known / tally.nodes if tally.nodes else 1.0
        print(f"{name}: {tally.known:,} of {tally.nodes:,} Nodes have their value ({share:.1%}),", end=" ")
        print(f"{tally.checked:,} compared with torch, {len(tally.wrong)} wrong")
        for line in tally.wrong:
            print(f"  wrong: {line}")
        for node, count in tally.lacking.most_common():
            print(f"  no value: {node} ×{count}")  # noqa: RUF001
        for rule, names in sorted(tally.findings.items()):
            print(f"  found: {rule} in {len(names)}: {', '.join(names[:8])}")


if __name__ == "__main__":
    main()
