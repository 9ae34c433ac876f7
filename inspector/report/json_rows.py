"""Convert a Report to and from the rows of report.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from msgspec import structs

from inspector.graph import Graph
from inspector.graph import json_rows as graph_rows
from inspector.graph.row_types import value_keys
from inspector.graph.saved_memory import saved_memory
from inspector.graph.values import decode, encode
from inspector.report.mask_addresses import mask_addresses
from inspector.report.model import BackwardCall, Inventory, Report, ScriptRun, Setting
from inspector.report.row_types import SCHEMA, Check, EventRow, Finding, OptimizerRow, ParameterRow
from inspector.report.timeline import Timeline

_MOST_MODULES = 10
"""Maximum number of modules in `SavedBytes`."""

_VALUES = value_keys(ParameterRow, OptimizerRow, EventRow, Finding)
"""Keys of rows outside the graph that contain values, in which "nan" is a number; elsewhere it is a text."""

_INVENTORY = ("parameters", "modules", "optimizers")

_OPTIONAL = ("step", "scale", "wanted", "step_of", "contains", "alive", "wrappers")
"""Keys of a backward call that are omitted if they are None or empty."""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of report.json, which also says what each key means."""
    parsed: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
    return parsed


def to_rows(report: Report, *, columns: bool = False) -> dict[str, Any]:
    """The report as JSON rows: top-level keys in their documented order, addresses masked."""
    return {
        "schema": SCHEMA,
        "script": report.script.name,
        **({"title": report.script.title} if report.script.title else {}),
        "exit": report.script.exit | {"exception": _masked(report.script.exit["exception"])},
        **({"rank": report.script.rank} if report.script.rank is not None else {}),
        "recording": report.recording,
        "backward_calls": [_call_to_rows(call, columns) for call in report.calls],
        "parameters": encode(report.inventory.parameters),
        "modules": encode(report.inventory.modules),
        "optimizers": encode(report.inventory.optimizers),
        **({"leaves": report.inventory.leaves} if report.inventory.leaves else {}),
        **({"statements": report.inventory.statements} if report.inventory.statements else {}),
        "events": encode(report.events),
        **({"timeline": encode(report.timeline)} if report.timeline is not None else {}),
        "findings": [encode(structs.asdict(finding)) for finding in report.findings],
        "checked": [structs.asdict(check) for check in report.checked],
    }


def from_rows(rows: dict[str, Any]) -> Report:
    """The Report of checked rows. The networks are built on first use."""
    return Report(
        script=ScriptRun(rows["script"], rows["exit"], rows.get("title", ""), rows.get("rank")),
        recording=rows["recording"],
        calls=[_call_from_rows(call) for call in rows["backward_calls"]],
        inventory=Inventory(
            **{key: _decoded(rows[key]) for key in _INVENTORY},
            leaves=rows.get("leaves", []),
            statements=rows.get("statements", []),
        ),
        events=_decoded(rows["events"]),
        findings=[Finding(**row) for row in _decoded(rows["findings"])],
        checked=[Check(**row) for row in rows["checked"]],
        timeline=_timeline(rows.get("timeline")),
    )


def _timeline(rows: dict[str, Any] | None) -> Timeline | None:
    if rows is None:
        return None
    triggers = [trigger | {"value": decode(trigger["value"])} for trigger in rows["triggers"]]
    return cast(Timeline, rows | {"triggers": triggers, "last_root": decode(rows["last_root"])})


def _call_to_rows(call: BackwardCall, columns: bool) -> dict[str, Any]:
    graph = graph_rows.to_columns(call.graph) if columns else graph_rows.to_rows(call.graph)
    if call.graph.note:
        graph["folded"] = {"note": call.graph.note, "whole": call.whole}
    setting = structs.asdict(call.setting)
    more = {key: encode(setting[key]) for key in _OPTIONAL if setting[key] not in (None, [])}
    return {
        "index": call.index,
        "location": call.location,
        "recording": call.setting.recording,
        **more,
        "graph": graph | {"error": _masked(graph["error"])},
        **_saved(call.graph),
        "cuts": encode(call.cuts),
        "writes": encode(call.writes),
    }


def _saved(graph: Graph) -> dict[str, Any]:
    """The memory of saved tensors, for readers of the file; `from_rows` ignores it."""
    kept = saved_memory(graph)
    if kept is None:
        return {}
    modules = [{"module": name, "bytes": size} for name, size in list(kept.modules.items())[:_MOST_MODULES]]
    return {"saved": {"bytes": kept.total, "packed": kept.packed, "modules": modules}}


def _call_from_rows(rows: dict[str, Any]) -> BackwardCall:
    found = rows["graph"]
    in_columns = isinstance(found["nodes"], dict)
    graph = graph_rows.from_columns(found) if in_columns else graph_rows.from_rows(found)
    cuts, writes = _decoded(rows["cuts"]), _decoded(rows["writes"])
    more = {key: decode(rows[key]) for key in _OPTIONAL if key in rows}
    setting = Setting(rows["recording"], **more)
    whole = found.get("folded", {}).get("whole")
    return BackwardCall(rows["index"], rows["location"], graph, cuts, writes, setting, whole)


def _decoded(rows: list[dict[str, Any]]) -> Any:
    return [{key: decode(item) if key in _VALUES else item for key, item in row.items()} for row in rows]


def _masked(text: str | None) -> str | None:
    return None if text is None else mask_addresses(text)
