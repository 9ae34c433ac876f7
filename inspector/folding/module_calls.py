"""The calls of modules in which a Graph was made: every function's path, passes, and the lines within a module."""

from __future__ import annotations

from functools import cached_property

from inspector.folding.module_paths import Path, module_paths, name_of
from inspector.folding.modules_from_parameter_names import modules_from_parameter_names
from inspector.graph.places import file_and_line
from inspector.graph.topology import Topology


class ModuleCalls:
    """The calls around every function of a graph.

    paths: the calls around each function. are_inferred: whether modules were inferred from parameter names,
    since none were recorded.
    """

    def __init__(self, topology: Topology) -> None:
        named = modules_from_parameter_names(topology)
        self.are_inferred = named is not None
        self.paths: list[Path] = module_paths(topology, named)
        for function, leaf in topology.leaves.items():
            name = topology.tensors.name(leaf)
            if name and name.isidentifier():  # a variable or a parameter of the outermost module
                self.paths[topology.index[function]] = ()
        self._functions = topology.functions
        self._lines: dict[int, set[tuple[str, int]]] = {}

    def lines_below(self, depth: int) -> set[tuple[str, int]]:
        """Lines that call a module below this depth: the functions they created are not one expression."""
        if depth not in self._lines:
            places = (self._functions.sources[at] for at, path in enumerate(self.paths) if len(path) > depth)
            self._lines[depth] = {line for line in map(file_and_line, places) if line is not None}
        return self._lines[depth]

    def has_lines(self, path: Path) -> bool:
        """Whether the lines tell the functions of a module itself apart: inside a library module, the line of each
        is the one that called the model."""
        return path == () or len(self._own_lines.get(path, ())) > 1

    @cached_property
    def _own_lines(self) -> dict[Path, set[object]]:
        lines: dict[Path, set[object]] = {}
        functions = self._functions
        for own, is_leaf, source in zip(self.paths, functions.leaf_flags, functions.sources, strict=True):
            if not is_leaf:
                lines.setdefault(own, set()).add(file_and_line(source))
        return lines

    def passes(self, path: Path) -> int:
        """The number of passes through the innermost module of a path, in the whole graph."""
        return self._passes.get(name_of(path), 1) if path else 1

    @cached_property
    def _passes(self) -> dict[str, int]:
        passes: dict[str, int] = {}
        for path in set(self.paths):
            for end in range(1, len(path) + 1):
                name = name_of(path[:end])
                passes[name] = max(passes.get(name, 1), path[end - 1][1])
        return passes

    def label(self, path: Path) -> str:
        """The name of a call: `blocks.3.attn`, or `cell, pass 2 of 5` if its module was called several times."""
        name, count = name_of(path), self.passes(path)
        return name if count == 1 else f"{name}, pass {path[-1][1]:,} of {count:,}"
