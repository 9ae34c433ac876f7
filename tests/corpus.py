"""The scripts of tests/scripts under `inspect`: what the diagnosis says of each, against what it should say.

Run as a program, it prints recall and false alarms as a table, and what went wrong::

    python tests/corpus.py [SCRIPT ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "scripts")]

from check import Expectation, corpus  # noqa: E402
from forkserver import ForkServer  # noqa: E402
from running import PRELOADED, environment  # noqa: E402

LOUD = ("error", "warning")
"""A note never counts as found, and is never a false alarm."""


@dataclass
class Judged:
    """What `inspect` said of a script. wrong: what is not as expected, as lines."""

    expected: Expectation
    findings: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    found: bool = False

    @property
    def alarms(self) -> int:
        """How many findings of warning or error level were not to be."""
        loud = [finding["rule"] for finding in self.findings if finding["severity"] in LOUD]
        return len(loud) - (self.found and self.expected.rule in loud)


def judge(server: ForkServer, expected: Expectation) -> Judged:
    """Run `inspect` on a script and hold what it says against what is expected."""
    judged = Judged(expected)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        argv = ["-f", "json", "-o", str(output), *expected.options, expected.path.name]
        ended = server.run(argv, cwd=expected.path.parent, env=environment(), timeout=300)
        if ended.status != expected.exit:
            judged.wrong.append(f"exit {ended.status}, not {expected.exit}: {ended.stderr[-300:]}")
        report = output / "report.json"
        if not report.exists():
            judged.wrong.append(f"no report.json: {ended.stderr[-300:]}")
            return judged
        rows = json.loads(report.read_text("utf-8"))
    judged.findings = rows["findings"]
    judged.wrong += [
        f"{check['rule']}: {check['reason']}" for check in rows["checked"] if "of ours" in (check["reason"] or "")
    ]
    judged.wrong += _against(judged, rows)
    return judged


def _against(judged: Judged, rows: dict[str, Any]) -> Iterator[str]:
    expected = judged.expected
    loud = [finding for finding in judged.findings if finding["severity"] in LOUD]
    if expected.rule == "unstable-log-softmax":  # a note by design
        loud += [finding for finding in judged.findings if finding["rule"] == expected.rule]
    right = [finding for finding in loud if finding["rule"] == expected.rule]
    for finding in right[:1]:
        line = (finding["location"] or {}).get("line")
        harmed = _harmed(finding, rows)
        if line not in expected.lines:
            yield f"line {line}, not {expected.lines}: {finding['message']}"
        if not expected.meets(harmed):
            yield f"harmed {sorted(harmed)}, not {expected.harmed}"
        judged.found = line in expected.lines and expected.meets(harmed)
    if expected.rule is not None and not right:
        checked = [check for check in rows["checked"] if check["rule"] == expected.rule]
        yield f"not found ({checked[0]['status']}: {checked[0]['reason']})" if checked else "not found"
    for finding in [*right[1:], *(item for item in loud if item not in right)]:
        line = (finding["location"] or {}).get("line")
        where = f"{finding['severity']}, line {line}, {finding['parameters']}"
        yield f"also {finding['rule']} ({where}): {finding['message']}"


def _harmed(finding: dict[str, Any], rows: dict[str, Any]) -> set[str]:
    """The harmed parameters of a finding; where it names none, the tensors that it names."""
    if finding["parameters"] or finding["backward_call"] is None:
        return set(finding["parameters"])
    call = rows["backward_calls"][finding["backward_call"] - 1]
    names = {row["id"]: row.get("name") for row in call["graph"]["nodes"]}
    return {name for node in finding["nodes"] if (name := names.get(node))}


def judge_all(
    expectations: Iterable[Expectation], workers: int = 2, preloaded: tuple[str, ...] = PRELOADED
) -> list[Judged]:
    """Judge many, `workers` at a time, each with a fork server of its own."""

    def some(part: list[Expectation]) -> list[Judged]:
        with ForkServer(preloaded) as server:
            return [judge(server, expected) for expected in part]

    items = list(expectations)
    with ThreadPoolExecutor(workers) as pool:
        judged = [item for part in pool.map(some, (items[k::workers] for k in range(workers))) for item in part]
    return sorted(judged, key=lambda item: items.index(item.expected))


def table(judged: list[Judged]) -> str:
    """Recall by rule and false alarms, in markdown."""
    rules = dict.fromkeys(item.expected.rule for item in judged if item.expected.rule)
    lines = ["| rule | scripts | found | also said |", "|---|---|---|---|"]
    for rule in sorted(rules):
        of_rule = [item for item in judged if item.expected.rule == rule]
        found, alarms = sum(item.found for item in of_rule), sum(item.alarms for item in of_rule)
        lines.append(f"| {rule} | {len(of_rule)} | {found} | {alarms} |")
    broken = [item for item in judged if item.expected.rule]
    healthy = [item for item in judged if not item.expected.rule]
    found, alarms = sum(item.found for item in broken), sum(item.alarms for item in broken)
    lines.append(f"| all broken | {len(broken)} | {found} | {alarms} |")
    lines.append(f"| healthy | {len(healthy)} | - | {sum(item.alarms for item in healthy)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Recall and false alarms of the diagnosis.")
    parser.add_argument("scripts", nargs="*", help="parts of names, as `detached` or `healthy/vae`; all if none")
    arguments = parser.parse_args()
    chosen = [
        item for item in corpus() if not arguments.scripts or any(part in item.name for part in arguments.scripts)
    ]
    judged = judge_all(chosen)
    for item in judged:
        for line in item.wrong:
            print(f"{item.expected.name}: {line}")
    print(table(judged))
    return 0 if all(not item.wrong for item in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
