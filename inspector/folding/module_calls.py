"""The calls of modules in which a Graph was made: every function's path, passes, and the lines within a module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy

from inspector.folding.module_paths import ModulePaths, Path, name_of
from inspector.folding.modules_from_parameter_names import modules_from_parameter_names
from inspector.graph.topology import Topology


class ModuleCalls:
    """The calls around every function of a graph.

    known: the paths that there are. numbers: of the path of each function, an array. are_inferred: whether modules
    were inferred from parameter names, since none were recorded.
    """

    def __init__(self, topology: Topology) -> None:
        index, tensors = topology.leaf_index, topology.tensors
        names = {index[at]: tensors.name(leaf) for at, leaf in topology.leaves.items()}
        named = modules_from_parameter_names(topology, names)
        self.are_inferred = named is not None
        paths = ModulePaths(topology, named)
        for leaf, name in names.items():
            if name and name.isidentifier():  # a variable or a parameter of the outermost module
                paths.numbers[leaf] = paths.number(())
        self.known: Sequence[Path] = paths.known
        self.number = paths.number
        self.numbers: Any = numpy.array(paths.numbers, numpy.int32)

    def passes(self, path: Path) -> int:
        """The number of passes through the innermost module of a path, in the whole graph."""
        return self._passes.get(name_of(path), 1) if path else 1

    @cached_property
    def _passes(self) -> dict[str, int]:
        passes: dict[str, int] = {}
        for path in self.known:
            name = ""
            for part, number in path:
                name = f"{name}.{part}" if name else part
                if passes.get(name, 1) < number:
                    passes[name] = number
        return passes

    def label(self, path: Path) -> str:
        """The name of a call: `blocks.3.attn`, or `cell, pass 2 of 5` if its module was called several times."""
        name, count = name_of(path), self.passes(path)
        return name if count == 1 else f"{name}, pass {path[-1][1]:,} of {count:,}"
