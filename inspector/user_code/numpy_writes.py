"""Find lines that write into memory shared between tensors and numpy. No hook reports them, so the source is read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_SHARING = ("from_numpy", "as_tensor", "asarray", "frombuffer", "from_dlpack")
"""Functions that create a tensor from an array without a copy."""

_WRITING = ("fill", "sort", "put", "itemset", "partition")
"""Methods of an array that write to it; numpy functions with `out=` do too."""


def array_writes(text: str) -> list[int]:
    """The lines at which a program writes to an array that shares memory with a tensor, judged by names.

    Raises SyntaxError.
    """
    tree = ast.parse(text)
    names = {name for node in ast.walk(tree) for name in _shared_names(node)}
    return sorted({node.lineno for node in ast.walk(tree) if _written(node) & names})  # type: ignore[attr-defined]


def _shared_names(node: ast.AST) -> Iterator[str]:
    """`a` of `a = x.numpy()` and of `torch.from_numpy(a)`."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        if isinstance(node.value.func, ast.Attribute) and node.value.func.attr in ("numpy", "__array__"):
            yield from (ast.unparse(target) for target in node.targets)
    elif isinstance(node, ast.Call) and node.args:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if name in _SHARING:
            yield ast.unparse(node.args[0])


def _written(node: ast.AST) -> set[str]:
    """The source text of the written arrays: `a` of `a[0] = 1`, `a *= 2`, `a.fill(0)`, `np.add(a, 1, out=a)`."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = [target.value for target in node.targets if isinstance(target, ast.Subscript)]
    elif isinstance(node, ast.AugAssign):
        targets = [node.target.value if isinstance(node.target, ast.Subscript) else node.target]
    elif isinstance(node, ast.Call):
        targets = [keyword.value for keyword in node.keywords if keyword.arg == "out"]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _WRITING:
            targets.append(node.func.value)
    return {ast.unparse(target) for target in targets}
