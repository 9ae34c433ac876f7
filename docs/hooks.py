"""Parts of the pages that are generated when mkdocs builds them, so that they cannot fall behind the code.

A page asks for one with a line `<!-- generated: NAME -->`, where NAME is a key of `GENERATED`.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "inspector"

PICTURES = {
    "pictures/saddle.svg": "tests/golden/saddle.svg",
    "pictures/product.circuit.svg": "tests/golden/product.circuit.svg",
    "pictures/lstm.modules.svg": "tests/golden/lstm.modules.svg",
    "pictures/page.live.png": "gallery/page/states/live.png",
    "pictures/page.node.png": "gallery/page/states/node.png",
    "pictures/page.slide.png": "gallery/page/states/slide.png",
}
"""Path in the site -> the file of the repository that is shown there."""

STAGES = (
    ("script", "recording", ""),
    ("recording", "tracing", "roots"),
    ("recording", "graph", "values, names, lines,\\ngradients, order"),
    ("tracing", "graph", "structure"),
    ("graph", "folding", ""),
    ("folding", "styles", "smaller Graph"),
    ("styles", "figure", "plan"),
    ("figure", "layout", "sizes"),
    ("layout", "figure", "places"),
    ("figure", "scene", ""),
    ("scene", "export", ""),
    ("graph", "report", ""),
    ("report", "diagnosis", ""),
    ("diagnosis", "report", "findings"),
    ("report", "terminal", ""),
)
"""The picture of the stages: from, to, and what is handed over."""

FILES = ("script", "svg pdf png pptx …", "report.json")
"""Boxes of that picture that are not packages."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures to the site."""
    from mkdocs.structure.files import File

    for path, source in PICTURES.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "pictures/stages.svg", content=stages_picture()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what a page asks for."""
    return re.sub(r"<!-- generated: (\w+) -->", lambda match: GENERATED[match[1]](), markdown)


def stages_picture() -> bytes:
    """The stages of an inspection, laid out by Graphviz."""
    import pygraphviz

    graph = pygraphviz.AGraph(directed=True, rankdir="TB", bgcolor="white", nodesep=0.35, ranksep=0.4, pad=0.2)
    graph.node_attr.update(
        shape="box",
        style="rounded,filled",
        fillcolor="#eef3f7",
        color="#0067A5",
        fontname="sans-serif",
        fontsize=13,
    )
    graph.edge_attr.update(color="#555555", fontname="sans-serif", fontsize=11, fontcolor="#444444", arrowsize=0.7)
    for file in FILES:
        graph.add_node(file, shape="note", style="filled", fillcolor="#ffffff", color="#888888")
    for source, target, label in STAGES:
        graph.add_edge(source, target, label=f"  {label}" if label else "")
    graph.add_edge("export", FILES[1])
    graph.add_edge("report", FILES[2])
    graph.layout("dot")
    return bytes(graph.draw(format="svg"))


def options_table() -> str:
    """The options of `inspect`, from the command itself."""
    import click

    rows = []
    for option in _command().params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        text, _, default = (option.help or "").partition("[default: ")
        default = default.rstrip("]") or (str(option.default) if option.show_default else "")
        rows.append((_names(option), text.strip(), f"`{default}`" if default else ""))
    return _table(("option", "meaning", "default"), rows)


def _command() -> Any:
    sys.path.insert(0, str(ROOT))
    try:
        from inspector.cli import _parse
    finally:
        sys.path.remove(str(ROOT))
    return _parse


def _names(option: Any) -> str:
    import click

    names = ", ".join(f"`{name}`" for name in option.opts)
    if option.is_flag:
        return names
    choices = isinstance(option.type, click.Choice)
    kinds = option.type.choices if choices else (option.metavar or option.type.name).split("|")
    return f"{names} {' | '.join(kinds)}"


def formats_table() -> str:
    """The formats of `--format`, from the table of writers."""
    from inspector.commands.options import REPORT
    from inspector.export import WRITERS

    rows = [
        (f"`{name}`", f"`{format.suffix}`", _HOLDS[format.holds], "extra `slides`" if format.needs else "")
        for name, format in WRITERS.items()
    ]
    alone = (f"`{REPORT}`", "`.json`", "the report; alone, it is written and nothing is drawn", "")
    return _table(("format", "suffix", "one file holds", "needs"), [*rows, alone])


_HOLDS = {
    "page": "the page of a call, to explore its graph in",
    "picture": "one picture: both panels, one panel, or one step",
    "pages": "one picture, or one on each page",
    "moments": "all moments, one after the other",
    "graph": "the graph as text, without a layout",
    "original": "torchviz's own picture of the same root",
}


def capabilities_table() -> str:
    """The parts of torch's undocumented interface, and what is lost without each."""
    from inspector.torch_api import CAPABILITIES

    rows = [(capability.name, capability.lost) for capability in CAPABILITIES]
    return _table(("capability", "what an inspection loses without it"), rows)


def imports_table() -> str:
    """Which packages of `inspector` each of them imports."""
    rows = [
        (f"`{name}`", ", ".join(f"`{other}`" for other in sorted(others)) or "none of them")
        for name, others in sorted(imports().items())
    ]
    return _table(("package", "imports"), rows)


def packages() -> list[str]:
    """The names of the packages in `inspector`."""
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


@functools.cache
def imports() -> dict[str, set[str]]:
    """Package of `inspector` -> the others that its modules import; what is only for types is left out."""
    found: dict[str, set[str]] = {}
    for name in packages():
        modules = (PACKAGE / name).rglob("*.py")
        imported = {part for path in modules for part in _imported(ast.parse(path.read_text("utf-8")))}
        found[name] = imported & set(packages()) - {name}
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    """The packages of `inspector` that a module imports, without the blocks `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):  # an import is a statement
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inspector."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "inspector":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("inspector."))
        else:
            yield from _imported(node)


def schema_sections() -> str:
    """The types of report.json, from `inspector/report/schema.json`."""
    schema = json.loads((PACKAGE / "report" / "schema.json").read_text("utf-8"))
    definitions: Mapping[str, Any] = schema["$defs"]
    parts = [_section("The file", schema)]
    parts += [_section(name, definition) for name, definition in definitions.items()]
    return "\n".join(parts)


def _section(name: str, definition: Mapping[str, Any]) -> str:
    lines = [f"## {name}", "", _escaped(definition.get("description", "")), ""]
    missing = dict.fromkeys(definition.get("properties", {}), "may be missing")
    missing |= dict.fromkeys(definition.get("required", []), "")
    rows = [
        (f"`{key}`", _type(item), missing[key], _escaped(item.get("description", "")))
        for key, item in definition.get("properties", {}).items()
    ]
    if rows:
        lines.append(_table(("key", "type", "", "meaning"), rows))
    else:
        lines.append(f"Type: {_type(definition)}")
    return "\n".join([*lines, ""])


def _type(item: Mapping[str, Any]) -> str:
    if "$ref" in item:
        name = item["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in item:
        return " or ".join(_type(each) for each in item["anyOf"])
    if "enum" in item or "const" in item:
        return " or ".join(f"`{json.dumps(each)}`" for each in item.get("enum", [item.get("const")]))
    kind = item.get("type", "anything")
    if kind == "array":
        return f"list of {_type(item['items'])}"
    if kind == "object" and isinstance(item.get("additionalProperties"), dict):
        return f"object of {_type(item['additionalProperties'])}"
    limits = [f"{word} {item[key]}" for key, word in (("minimum", "from"), ("pattern", "like")) if key in item]
    return " ".join([kind, *(f"`{limit}`" for limit in limits)]).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace(" | ", " \\| ") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([<|*_])", r"\\\1", text)


GENERATED: dict[str, Callable[[], str]] = {
    "options": options_table,
    "formats": formats_table,
    "capabilities": capabilities_table,
    "imports": imports_table,
    "schema": schema_sections,
}
"""What a page can ask for."""
