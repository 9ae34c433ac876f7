"""`inspect explain [RULE]`: print the docstrings of the rules."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inspector.diagnosis import RULES as OF_ONE_PROCESS
from inspector.diagnosis import Rule
from inspector.merging import RANK_RULES, RankRule
from inspector.util.stderr import say

_Rule: TypeAlias = Rule | RankRule

RULES: dict[str, _Rule] = {**OF_ONE_PROCESS, **RANK_RULES}
"""All rules; those that compare the ranks of a distributed run come last."""
_USAGE = 2
_WIDEST = 100
_HEADS = ("Why it matters:", "How to fix it:", "Example:")


def explain(names: Sequence[str]) -> int:
    """Print the table of the rules, or the documentation of the named ones; return the exit status."""
    console = Console(highlight=False, width=min(Console().width, _WIDEST))
    unknown = [name for name in names if name not in RULES]
    if unknown:
        close = difflib.get_close_matches(unknown[0], RULES, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        known = ", ".join(RULES)
        say(f"unknown rule {unknown[0]!r}{meant}; choose from: {known}")
        return _USAGE
    if not names:
        console.print(_table())
    for name in names:
        console.print(_explained(RULES[name]))
    return 0


def markdown() -> str:
    """docs/rules.md: the text of `inspect explain` for every rule."""
    parts = [
        "# Rules\n",
        "The text of `inspect explain`. A rule whose evidence was not recorded is reported as not checked.\n",
        *(_section(rule) for rule in RULES.values()),
    ]
    return "\n".join(parts)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("rule", "severity", "finds"):
        table.add_column(title, no_wrap=title != "finds")
    for rule in RULES.values():
        table.add_row(Text(rule.name, style="bold"), rule.severity, Text(_first_line(rule)))
    return table


def _explained(rule: _Rule) -> Text:
    text = Text.assemble((rule.name, "bold"), f"  {rule.severity}\n\n", _reflowed(rule), "\n")
    for head in _HEADS:
        text.highlight_words([head], "bold")
    return text


def _reflowed(rule: _Rule) -> str:
    """The docstring with one line per paragraph, for the terminal to wrap. The example code is unchanged."""
    paragraphs, example, code = rule.text.strip().partition("Example:")
    joined = "\n\n".join(" ".join(part.split()) for part in paragraphs.strip().split("\n\n"))
    return f"{joined}\n\n{example}{code}"


def _section(rule: _Rule) -> str:
    body = rule.text.strip()
    for head in _HEADS:
        body = body.replace(head, f"**{head}**", 1)
    return f"## `{rule.name}` ({rule.severity})\n\n{body}\n"


def _first_line(rule: _Rule) -> str:
    return " ".join(rule.text.split("\n\n")[0].split()).rstrip(".")
