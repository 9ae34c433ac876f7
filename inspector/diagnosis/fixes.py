"""Fixes of findings that change or move a line of the script: only where it is certain which text to change.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from inspector.graph.row_types import Source
from inspector.report import Finding


class Fix(Struct, frozen=True):
    """A fix that changes one line of the script.

    line: from 1. before, after: its text, without the line break at its end; `after` may be several lines.
    moved: the line whose statement is now in `after`; None if no statement is moved.
    """

    finding: Finding
    line: int
    before: str
    after: str
    moved: int | None = None


def fixes_of(findings: Iterable[Finding], script: str, lines: list[str]) -> list[Fix]:
    """The fixes of those findings that have one, at most one for each line.

    script: the file name as findings have it. lines: the text of the script.
    """
    found: dict[int, Fix] = {}
    for finding in findings:
        place = finding.location
        if place is None or "unknown" in place or place["file"] != script or "library" in place:
            continue
        elsewhere = _ELSEWHERE.get(finding.rule)
        fix = (elsewhere or _at_its_line)(finding, place, lines)
        if fix is not None:
            found.setdefault(fix.line, fix)
    return list(found.values())


def _at_its_line(finding: Finding, place: Source, lines: list[str]) -> Fix | None:
    text = _line(lines, place["line"])
    after = _fixed(finding, text, str(place.get("part") or place["code"]))
    return None if after is None or after == text else Fix(finding, place["line"], text, after)


def _line(lines: list[str], number: object) -> str:
    return lines[number - 1] if isinstance(number, int) and 0 < number <= len(lines) else ""


def _with_step(finding: Finding, place: Source, lines: list[str]) -> Fix | None:
    """The step of an optimizer, after the only line that calls backward."""
    number, made = finding.evidence.get("backward"), re.match(r"([A-Za-z_][\w.]*) = ", place["code"])
    text = _line(lines, number)
    if made is None or not isinstance(number, int) or not _only_calls("backward", text):
        return None
    return Fix(finding, number, text, f"{text}\n{_indent(text)}{made[1]}.step()")


def _with_zero_grad_after_step(finding: Finding, place: Source, lines: list[str]) -> Fix | None:
    """A `zero_grad()` between backward and the step, moved behind the step."""
    number, moved = finding.evidence.get("step"), place["line"]
    text, zeroed = _line(lines, number), _line(lines, moved)
    if not isinstance(number, int) or not _only_calls("step", text) or not _only_calls("zero_grad", zeroed):
        return None
    return Fix(finding, number, text, f"{text}\n{_indent(text)}{zeroed.strip()}", moved)


def _only_calls(method: str, text: str) -> bool:
    """Whether a line is a whole statement that calls this method."""
    try:
        statements = ast.parse(text.strip()).body
    except SyntaxError:
        return False
    call = statements[0].value if len(statements) == 1 and isinstance(statements[0], ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == method


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _fixed(finding: Finding, text: str, part: str) -> str | None:
    """The fixed line; None if the finding has no fix, or if the part does not occur exactly once in the line."""
    change = CHANGES.get((finding.rule, str(finding.evidence.get("kind", ""))))
    if change is None:
        return None
    start = text.find(part)
    if start < 0 or text.count(part) != 1:
        return None
    new = change(part)
    if new is None:
        return None
    return text[:start] + new.replace("\n", "\n" + _indent(text)) + text[start + len(part) :]


def _without(call: str) -> Callable[[str], str | None]:
    return lambda part: part.replace(call, "") if part.count(call) == 1 else None


def _with_rsample(part: str) -> str | None:
    return part.replace(".sample(", ".rsample(") if part.count(".sample(") == 1 else None


def _with_create_graph(part: str) -> str | None:
    return part[:-1] + ", create_graph=True)" if part.endswith(")") and "create_graph" not in part else None


def _effective(part: str) -> str | None:
    """A statement with the effect that its text suggests: `step()`, `=` for `==`, `clamp_` for `clamp`."""
    if re.fullmatch(r"[\w.\[\]]+", part):
        return part + "()"
    if re.fullmatch(r"[\w.\[\]]+\.requires_grad == (True|False)", part):
        return part.replace("==", "=")
    if re.match(r"[\w.\[\]]+\.(clamp|clip|zero|fill|mul|add|sub|div|copy)\(", part):
        return re.sub(r"\.(clamp|clip|zero|fill|mul|add|sub|div|copy)\(", r".\1_(", part, count=1)
    return None


def _with_zero_grad(part: str) -> str | None:
    """`optimizer.step()`, followed by a line that clears the grads it has used."""
    if not re.fullmatch(r"[\w.\[\]]+\.step\(\)", part):
        return None
    return f"{part}\n{part.removesuffix('step()')}zero_grad()"


def _as_torch_reads(part: str) -> str | None:
    """`p.require_grad` with torch's spelling, `model.training = False` as a call; None for another attribute."""
    mode = re.fullmatch(r"([\w.\[\]]+)\.training = (True|False)", part)
    if mode is not None:
        return f"{mode[1]}.{'train' if mode[2] == 'True' else 'eval'}()"
    owner, _, name = part.rpartition(".")
    is_misspelt = name != "requires_grad" and re.fullmatch(r"requires?_?grads?", name)
    return f"{owner}.requires_grad" if owner and is_misspelt else None


_BINDS_LIKE_A_SUM = (ast.Attribute, ast.BinOp, ast.Call, ast.Constant, ast.Name, ast.Subscript, ast.UnaryOp)
"""Expressions to which a number can be added without parentheses. (Tensors have no use for `a & b` here.)"""


def _away_from_zero(part: str) -> str | None:
    """A root, a logarithm or a quotient with a small number added to its argument or divisor; None for another
    expression. `x.sqrt()` and `torch.sqrt(x)` become `(x + 1e-12).sqrt()` and `torch.sqrt(x + 1e-12)`."""
    try:
        whole = ast.parse(part, mode="eval").body
    except SyntaxError:
        return None
    if isinstance(whole, ast.BinOp) and isinstance(whole.op, ast.Div):
        return _replaced(part, whole.right, "({} + 1e-12)")
    if not isinstance(whole, ast.Call) or not isinstance(whole.func, ast.Attribute) or whole.keywords:
        return None
    owner, of_torch = whole.func.value, ast.unparse(whole.func.value) == "torch"
    if whole.func.attr not in ("sqrt", "rsqrt", "log") or len(whole.args) != of_torch:
        return None
    return _replaced(part, whole.args[0] if of_torch else owner, "{} + 1e-12" if of_torch else "({} + 1e-12)")


def _replaced(part: str, inner: ast.expr, template: str) -> str | None:
    """The text with one of its expressions replaced."""
    text = ast.get_source_segment(part, inner)
    if text is None or not part.isascii():  # columns count bytes
        return None
    if not isinstance(inner, _BINDS_LIKE_A_SUM):
        text = f"({text})"
    start, end = inner.col_offset, inner.end_col_offset or 0
    if part[start - 1 : start] == "(" and part[end : end + 1] == ")" and template.startswith("("):
        start, end = start - 1, end + 1
    return part[:start] + template.format(text) + part[end:]


_OF_CUTS: dict[str, Callable[[str], str | None]] = {
    "data": _without(".data"),
    "detach": _without(".detach()"),
    "grad": _with_create_graph,
    "item": _without(".item()"),
    "sample": _with_rsample,
}
"""The change of the text that cuts the graph, by kind of cut."""

CHANGES: dict[tuple[str, str], Callable[[str], str | None]] = {
    ("attribute-without-effect", ""): _as_torch_reads,
    ("non-finite-forward", ""): _away_from_zero,
    ("non-finite-gradient", ""): _away_from_zero,
    ("stale-gradient", ""): _with_zero_grad,
    ("statement-without-effect", ""): _effective,
    **{(rule, kind): _OF_CUTS[kind] for rule in ("cut-path", "detached", "no-graph") for kind in _OF_CUTS},
}
"""The change of the text at fault, by rule and kind of cut."""

_ELSEWHERE: dict[str, Callable[[Finding, Source, list[str]], Fix | None]] = {
    "optimizer-never-steps": _with_step,
    "step-without-gradient": _with_zero_grad_after_step,
}
"""The fixes of rules that change another line than that of the finding."""

RULES_WITH_FIXES = frozenset([*(rule for rule, _ in CHANGES), *_ELSEWHERE])


def changed(fixes: Iterable[Fix], lines: list[str]) -> list[str]:
    """The text of the script with these fixes."""
    new: list[str | None] = list(lines)
    for fix in fixes:
        new[fix.line - 1] = fix.after
        if fix.moved is not None:
            new[fix.moved - 1] = None
    return "\n".join(text for text in new if text is not None).split("\n")


def is_still_there(fix: Fix, findings: Iterable[Finding]) -> bool:
    """Whether the finding of a fix is among those of the changed script."""
    same = [finding for finding in findings if finding.rule == fix.finding.rule]
    if fix.finding.rule in _ELSEWHERE:
        return bool(same)
    lines = (finding.location.get("line") for finding in same if isinstance(finding.location, dict))
    return fix.line in lines
