"""Find cycles between boxes: a folded graph can have cycles, although a backward graph has none."""

from __future__ import annotations

from collections.abc import Sequence


def strong_components(following: Sequence[Sequence[int]]) -> list[int]:
    """For each vertex the number of its strongly connected component (Tarjan, without recursion)."""
    count = len(following)
    turns, lowest, component = [0] * count, [0] * count, [-1] * count
    turn, number = 0, 0
    open_vertices: list[int] = []
    for start in range(count):
        if turns[start]:
            continue
        turn += 1
        turns[start] = lowest[start] = turn
        open_vertices.append(start)
        stack = [(start, 0)]
        while stack:
            vertex, edge = stack.pop()
            targets = following[vertex]
            while edge < len(targets):
                target = targets[edge]
                edge += 1
                if not turns[target]:
                    turn += 1
                    turns[target] = lowest[target] = turn
                    open_vertices.append(target)
                    stack += [(vertex, edge), (target, 0)]
                    break
                if component[target] < 0:
                    lowest[vertex] = min(lowest[vertex], turns[target])
            else:
                number = _close(vertex, (turns, lowest, component), open_vertices, number)
                if stack:
                    above = stack[-1][0]
                    lowest[above] = min(lowest[above], lowest[vertex])
    return component


_Columns = tuple[list[int], list[int], list[int]]


def _close(vertex: int, columns: _Columns, open_vertices: list[int], number: int) -> int:
    """All edges of a vertex are done: if it is the first of its component, that is complete."""
    turns, lowest, component = columns
    if lowest[vertex] < turns[vertex]:
        return number
    while True:
        member = open_vertices.pop()
        component[member] = number
        if member == vertex:
            return number + 1


def has_cycle(following: Sequence[Sequence[int]]) -> bool:
    """Whether two different vertices reach each other."""
    return len(set(strong_components(following))) < len(following)
