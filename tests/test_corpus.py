"""The scripts of tests/scripts: every defect is found at its line, and nothing else is said. A sample, and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from corpus import Expectation, Judged, corpus, judge, judge_all, table
from corpus_kinds import KINDS, Kind
from forkserver import ForkServer
from late_faults import NOT_FINITE, OTHERS
from running import PRELOADED

SAMPLE_OF_HEALTHY = 5
"""Every so many of the healthy scripts is run in CI, and the first broken one of each rule."""


def healthy() -> list[Expectation]:
    return [item for item in corpus() if item.rule is None]


def sample() -> list[Expectation]:
    first: dict[str, Expectation] = {}
    for item in corpus():
        if item.rule is not None:
            first.setdefault(item.rule, item)
    return [*first.values(), *healthy()[::SAMPLE_OF_HEALTHY]]


@pytest.fixture(scope="module")
def scripts() -> Iterator[ForkServer]:
    with ForkServer(PRELOADED) as server:
        yield server


def problems(judged: Judged) -> list[str]:
    return [f"{judged.expected.name}: {line}" for line in judged.wrong]


@pytest.mark.parametrize("expected", sample(), ids=lambda expected: expected.name)
def test_script(expected: Expectation, scripts: ForkServer) -> None:
    assert problems(judge(scripts, expected)) == []


@pytest.fixture(scope="module")
def scripts_as_if_large() -> Iterator[ForkServer]:
    with ForkServer((*PRELOADED, "as_if_large")) as server:
        yield server


@pytest.mark.parametrize("expected", healthy()[1::6], ids=lambda expected: expected.name)
def test_nothing_is_said_of_a_healthy_script_where_less_is_known(
    expected: Expectation, scripts_as_if_large: ForkServer
) -> None:
    """As of a large model: of the calls that are not drawn no values."""
    assert problems(judge(scripts_as_if_large, expected)) == []


@pytest.mark.parametrize("name", ["lora_both_factors", "auxiliary_warmup"])
def test_zeros_are_told_where_the_operands_of_a_light_call_are_known(name: str, scripts: ForkServer) -> None:
    """Of a small graph they are."""
    expected = next(item for item in corpus() if item.name == f"broken/zero-gradient/{name}")
    assert problems(judge(scripts, replace(expected, options=[*expected.options, "--record", "light"]))) == []


@pytest.mark.slow
def test_all_scripts_where_less_is_known() -> None:
    judged = judge_all(corpus(), preloaded=(*PRELOADED, "as_if_large"))
    print(table(judged))
    alarms = [line for item in judged for line in problems(item) if ": also " in line]
    # that w.grad is None is known, but not which line has rebound w
    assert [line for line in alarms if "rebound-leaf" not in line] == []
    assert [line for item in judged if item.expected.rule is None for line in problems(item)] == []


@pytest.mark.slow
def test_all_scripts() -> None:
    judged = judge_all(corpus())
    print(table(judged))
    assert [line for item in judged for line in problems(item)] == []


def test_there_are_three_broken_scripts_of_every_rule_and_many_healthy_ones() -> None:
    from inspector.diagnosis import RULES

    late = {name for name, rule in RULES.items() if "timeline" in rule.needs}
    counts = {rule: sum(item.rule == rule for item in corpus()) for rule in RULES.keys() - late}
    assert min(counts.values()) >= 3, counts
    counts = {rule: sum(rule in fault.rules for fault in (*NOT_FINITE, *OTHERS)) for rule in late}
    assert min(counts.values()) >= 2, counts
    assert sum(item.rule is None for item in corpus()) >= 25


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_there_are_ten_broken_scripts_and_five_look_alikes_of_every_kind(kind: Kind) -> None:
    names = {item.name.removeprefix("broken/"): item for item in corpus()}
    of_rules = {name for name, item in names.items() if item.rule in kind.rules}
    assert {name for name in kind.broken if name not in names or names[name].rule is None} == set()
    assert len(of_rules.union(kind.broken)) >= 10
    assert {name for name in kind.healthy if f"healthy/{name}" not in names} == set()
    assert len(set(kind.healthy)) >= 5
