"""From a position in running code to source text: the line, the statement, the expression and its name.

A position is a code object and the index of one of its instructions. It keeps no frame alive, and so no tensor.
"""

from __future__ import annotations

import ast
import functools
import linecache
import sys
import textwrap
from collections import deque
from types import CodeType
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from inspector.graph.row_types import LibraryLine, Source
from inspector.user_code.comments import without_comments
from inspector.user_code.numpy_writes import array_writes
from inspector.user_code.operand_texts import OperandTexts, operand_texts
from inspector.user_code.paths import UserFiles
from inspector.util.frame_locals import Span, span_at, spans_of

Position: TypeAlias = tuple[CodeType, int]


class LibraryPlace(NamedTuple):
    """A position in user code, and the position in a library that it led to."""

    code: CodeType
    instruction: int
    library: Position


Place: TypeAlias = Position | LibraryPlace


def place_key(place: Place) -> tuple[int, ...]:
    """What identifies a place while its code is alive."""
    library = (id(place.library[0]), place.library[1]) if isinstance(place, LibraryPlace) else ()
    return id(place[0]), place[1], *library


class Expression(Struct, frozen=True):
    """The expression that a place computes.

    text: the source text. names: the targets of its assignment: one name, or one per element if it is unpacked;
    None for an element without a name.
    unpacked: whether `names` are the names of its elements.
    operand: the source text of its operand, if there is one: `h` in `h.detach()`.
    callee: the name of the function that it calls: `relu` in `F.relu(h)`; None if it is not a call.
    operands: the texts of all its operands.
    """

    text: str
    names: tuple[str | None, ...]
    unpacked: bool
    operand: str | None
    callee: str | None
    operands: OperandTexts

    def name(self, index: int, count: int) -> str | None:
        """The name of output `index` of `count`."""
        if self.unpacked:
            return self.names[index] if index < len(self.names) else None
        return self.names[0] if self.names and count == 1 else None


class SourceExpressions:
    """Source text by place. Results are cached, so that a loop takes one lookup per iteration."""

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._texts: dict[str, _SourceText | None] = {}
        # By id, as equal code objects may be from different files; the code object is kept alive, so the id is
        # unique
        self._spans: dict[int, tuple[CodeType, list[Span]]] = {}
        self._expressions: dict[tuple[int, int], Expression | None] = {}
        self._sources: dict[tuple[int, ...], Source] = {}

    def source(self, place: Place) -> Source:
        """File, line and statement of a place; the code is "" without source text."""
        key = place_key(place)
        found = self._sources.get(key)
        if found is None:
            found = self._sources[key] = self._source(place)
        return found

    def line(self, place: Place) -> int:
        """The line of a place."""
        return self._span(place)[0] or place[0].co_firstlineno

    def _source(self, place: Place) -> Source:
        code, line = place[0], self.line(place)
        column = self._span(place)[2]
        text = self._text(code.co_filename)
        statement = text.statement(line, column) if text else self._files.statement_at(code.co_filename, line)
        source: Source = {"file": self._files.display_path(code.co_filename), "line": line, "code": statement}
        if isinstance(place, LibraryPlace):
            source["library"] = self._library_line(place.library)
        return source

    def expression(self, place: Place) -> Expression | None:
        """The expression at a place; None if there is none, or no source text."""
        key = (id(place[0]), place[1])
        if key not in self._expressions:
            span, text = self._span(place), self._text(place[0].co_filename)
            self._expressions[key] = text.expression(span) if text else None
        return self._expressions[key]

    def array_writes(self) -> list[Source]:
        """The statements in the parsed files that write to arrays shared with tensors."""
        found: list[Source] = []
        for path, text in self._texts.items():
            if text is not None and self._files.is_users(path):
                shown = self._files.display_path(path)
                lines = array_writes("".join(linecache.getlines(path)))
                found += [{"file": shown, "line": line, "code": text.statement(line)} for line in lines]
        return found

    def _library_line(self, place: Position) -> LibraryLine:
        """A line of a library, which may be too long to parse for a whole statement."""
        path, line = place[0].co_filename, self._span(place)[0] or place[0].co_firstlineno
        return {"file": self._files.display_path(path), "line": line, "code": self._files.statement_at(path, line)}

    def _span(self, place: Place) -> Span:
        code, instruction = place[0], place[1]
        kept = self._spans.get(id(code))
        if kept is None:
            kept = self._spans[id(code)] = (code, spans_of(code))
        return span_at(code, instruction, kept[1])

    def _text(self, path: str) -> _SourceText | None:
        if path not in self._texts:
            tracer = sys.gettrace()
            sys.settrace(None)  # parsing causes 100,000 events, which would suspend line tracing
            try:
                self._texts[path] = _parsed("".join(linecache.getlines(path)))
            except (SyntaxError, ValueError, RecursionError):
                self._texts[path] = None  # not the running source, or not Python
            finally:
                sys.settrace(tracer)
        return self._texts[path]


class _SyntaxIndex:
    """The syntax tree of one file by line and position, indexed as far as lines are asked for.

    statements: first and last line of the statement at a line. simple: the statements without a body, by line.
    calls: by their ends. targets: what the value of an assignment is assigned to.
    """

    def __init__(self, text: str) -> None:
        self.statements: dict[int, tuple[int, int]] = {}
        self.simple: dict[int, list[ast.stmt]] = {}
        self.expressions: dict[Span, ast.expr | ast.AugAssign] = {}
        self.calls: dict[tuple[int | None, int | None], ast.Call] = {}
        self.targets: dict[ast.AST, ast.expr] = {}
        self._looked_at: set[int] = set()
        self._waiting: list[ast.stmt] = ast.parse(text).body  # not indexed yet

    def look_around(self, line: int | None) -> None:
        """Index the statements around a line: in a module or class body, only the statement at that line."""
        if line is None or line in self._looked_at:
            return
        found = [item for item in self._waiting if _first_line(item) <= line <= _last_line(item)]
        for statement in found:
            self._waiting.remove(statement)
            if isinstance(statement, ast.ClassDef):
                self._index(statement)
                self._index_all(*statement.decorator_list, *statement.bases, *statement.keywords)
                self._waiting += statement.body
            else:
                self._index_all(statement)
        if any(isinstance(statement, ast.ClassDef) for statement in found):
            self.look_around(line)
        self._looked_at.add(line)

    def _index_all(self, *nodes: ast.AST) -> None:
        waiting: deque[ast.AST] = deque(nodes)
        while waiting:  # breadth first: inner nodes come later and win
            node = waiting.popleft()
            self._index(node)
            if not isinstance(node, ast.JoinedStr):  # positions inside an f-string are unreliable
                waiting.extend(ast.iter_child_nodes(node))

    def _index(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            first, last = _extent(node)
            self.statements.update(dict.fromkeys(range(first, last + 1), (first, last)))
            if not hasattr(node, "body"):
                for line in range(first, last + 1):
                    self.simple.setdefault(line, []).append(node)
        if isinstance(node, (ast.expr, ast.AugAssign)):
            self.expressions[_span_of(node)] = node
        if isinstance(node, ast.Call):
            self.calls[node.end_lineno, node.end_col_offset] = node
        if isinstance(node, ast.Assign):
            self.targets[node.value] = node.targets[0]
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self.targets[node.value] = node.target
        elif isinstance(node, ast.AugAssign):
            self.targets[node] = node.target


class _SourceText:
    """The parsed text of one file."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._index = _SyntaxIndex(text)
        self._found: dict[Span, Expression | None] = {}

    def statement(self, line: int, column: int | None = None) -> str:
        """The statement around a line (the header of a compound one), dedented, without comments.

        column: in bytes; selects one of several statements on the line; without it all are returned.
        """
        self._index.look_around(line)
        beside = self._index.simple.get(line, [])
        for node in beside if column is not None and len(beside) > 1 else ():
            first, last, start, end = _span_of(node)
            if (first, start) <= (line, column) < (last, end):
                return self._segment(node)
        first, last = self._index.statements.get(line, (line, line))
        return without_comments(textwrap.dedent("".join(self._lines[first - 1 : last])).strip())

    def expression(self, span: Span) -> Expression | None:
        if span not in self._found:
            self._found[span] = self._expression(span)
        return self._found[span]

    def _expression(self, span: Span) -> Expression | None:
        self._index.look_around(span[0])
        # In Python 3.11, the call of a method in a chain over several lines starts at the method's name
        node = self._index.expressions.get(span) or self._index.calls.get((span[1], span[3]))
        if node is None:
            return None
        target = self._index.targets.get(node)
        elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else None
        names = [target] if elements is None else elements
        return Expression(
            self._segment(node),
            tuple(self._name(name) for name in names[: _starred(names)]),
            elements is not None,
            self._operand(node),
            _callee(node),
            operand_texts(node, self._segment),
        )

    def _name(self, target: ast.expr | None) -> str | None:
        return self._segment(target) if isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)) else None

    def _operand(self, node: ast.expr | ast.AugAssign) -> str | None:
        """The operand of a call or an attribute: `h` in `h.detach()`, `h.data`, `torch.argmax(h)`, `h += 1`."""
        if isinstance(node, ast.Call):
            method = node.func
            of_module = isinstance(method, ast.Attribute) and self._segment(method.value) in _MODULES
            if isinstance(method, ast.Attribute) and not of_module:
                return self._segment(method.value)
            return self._segment(node.args[0]) if node.args else None
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._segment(node.value)
        return self._segment(node.target) if isinstance(node, ast.AugAssign) else None

    def _segment(self, node: ast.expr | ast.stmt) -> str:
        first, last, start, end = _span_of(node)
        lines = [line.encode() for line in self._lines[first - 1 : last]]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        text = b"".join(lines).decode()
        # In brackets, its lines may be indented as they like
        return without_comments(f"({text}\n)")[1:-1].strip() if "#" in text and last > first else text


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> _SourceText:
    """Cached across recordings, since parsing takes milliseconds."""
    return _SourceText(text)


_MODULES = ("torch", "F", "nn.functional", "torch.nn.functional", "torch.special", "torch.linalg")


def _callee(node: ast.expr | ast.AugAssign) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)


def _starred(targets: list[ast.expr | None] | list[ast.expr]) -> int:
    """Number of targets before a `*rest`; after it, positions differ from those of the elements."""
    return next((i for i, target in enumerate(targets) if isinstance(target, ast.Starred)), len(targets))


def _span_of(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
    assert node.end_lineno is not None and node.end_col_offset is not None  # ast.parse sets them
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _first_line(statement: ast.stmt) -> int:
    """The line of its first decorator, or its own."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(item.lineno for item in decorators)])


def _last_line(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def _extent(statement: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement, or of the header of a compound one."""
    last = statement.end_lineno or statement.lineno
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if not body:
        return statement.lineno, last
    decorators = getattr(body[0], "decorator_list", None)  # above the line of the decorated statement
    first = decorators[0] if decorators else body[0]
    inner = first.pattern.lineno if isinstance(first, ast.match_case) else first.lineno
    return statement.lineno, max(statement.lineno, min(inner - 1, last))
