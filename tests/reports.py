"""Reports around hand-built graphs, and a graph as large as a model's."""

from __future__ import annotations

import math
from typing import Any

from msgspec import structs

from inspector.graph import Graph, from_rows, unknown
from inspector.report import BackwardCall, Finding, Report, ScriptRun

FILES = ("inspect-out/report.json", "inspect-out/backward-1.svg", "inspect-out/backward-1.html")


def report_of(graph: Graph, code: str = "z.backward()", **more: Any) -> Report:
    """A report with one backward call."""
    call = BackwardCall(1, {"file": "script.py", "line": 7, "code": code}, graph)
    recording: Any = {"mode": "full", "watched": 1, "drawn": [1]}
    return Report(ScriptRun("script.py", {"status": 0, "exception": None}), recording, [call], **more)


def finding(severity: Any = "error", **more: Any) -> Finding:
    """A finding with everything in it."""
    found = Finding(
        rule="detached",
        severity=severity,
        message="no gradient reaches encoder.weight: h was cut by detach()",
        advice="remove .detach()",
        location={"file": "train.py", "line": 31, "code": "h = encoder(x).detach()"},
        backward_call=1,
        nodes=["n0"],
        parameters=["encoder.weight", "encoder.bias"],
        evidence={"norm": math.nan},
    )
    return structs.replace(found, **more)


def summarised(shape: list[int], norm: float, *, zeros: int = 0, nans: int = 0) -> dict[str, Any]:
    """The value of a large tensor."""
    counts = {"zeros": zeros, "nans": nans, "infinities": 0}
    return {"shape": shape, "dtype": "float32", "norm": norm, "mean": 0.0, "min": -1.0, "max": 1.0, **counts}


def model(layers: int = 20) -> Graph:
    """A chain of layers of two Nodes and a weight; weight 3 is zero, 5 is None, 7 has NaN."""
    nodes = [_function(0, "MseLossBackward0", 1.0), _tensor(0, "loss", [], 1.0, grad_fn="n0")]
    edges: list[dict[str, Any]] = [{"source": "t0", "target": "n0", "kind": "grad_fn"}]
    above = 0
    for layer in range(layers):
        relu, linear, weight = (3 * layer + offset for offset in (1, 2, 3))
        flow = summarised([8, 64], 0.5**layer)
        reached = _gradient_of_weight(layer)
        nodes += [_function(relu, "ReluBackward0", flow), _function(linear, "MmBackward0", flow)]
        name = f"network.blocks.{layers - layer - 1}.feed_forward.projection.weight"
        nodes += [_function(weight, "AccumulateGrad", reached), _tensor(weight, name, [64, 64], reached)]
        edges += [_next(above, relu, flow), _next(relu, linear, flow), _next(linear, weight, reached, slot=1)]
        edges.append({"source": f"n{weight}", "target": f"t{weight}", "kind": "accumulate", "gradient": reached})
        above = linear
    steps = [row["id"] for row in nodes if row["kind"] == "function"]
    return from_rows({"nodes": nodes, "edges": edges, "roots": ["t0"], "steps": steps, "error": None})


def _gradient_of_weight(layer: int) -> Any:
    if layer == 5:
        return None
    if layer == 7:
        return summarised([64, 64], math.nan, nans=3)
    return summarised([64, 64], 0.0, zeros=64 * 64) if layer == 3 else summarised([64, 64], 2 * 0.5**layer)


def _next(source: int, target: int, gradient: Any, slot: int = 0) -> dict[str, Any]:
    ends = {"source": f"n{source}", "target": f"n{target}"}
    return {**ends, "kind": "next", "slot": slot, "input_nr": 0, "gradient": gradient}


def _function(index: int, name: str, gradient: Any) -> dict[str, Any]:
    state = {"data": unknown("not recorded"), "grad": None}
    return {
        "id": f"n{index}",
        "kind": "function",
        "name": name,
        "is_leaf": name == "AccumulateGrad",
        "requires_grad": True,
        "module": None,
        "source": unknown("not recorded"),
        "step": index + 1,
        "attributes": {},
        "empty_slots": [],
        "formula": {},
        "saved": [],
        "before": state,
        "after": state,
        "gradient": gradient,
    }


def _tensor(index: int, name: str, shape: list[int], gradient: Any, grad_fn: str | None = None) -> dict[str, Any]:
    data = unknown("not recorded")
    return {
        "id": f"t{index}",
        "kind": "tensor",
        "name": name,
        "is_leaf": grad_fn is None,
        "requires_grad": True,
        "grad_fn": grad_fn,
        "retains_grad": False,
        "dtype": "float32",
        "shape": shape,
        "device": "cpu",
        "version": 0,
        "source": unknown("not recorded"),
        "before": {"data": data, "grad": None},
        "after": {"data": data, "grad": gradient if grad_fn is None else None},
        "gradient": gradient,
    }
