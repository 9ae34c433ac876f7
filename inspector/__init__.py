"""See what PyTorch's autograd does: the backward graph, before and after backward().

    import inspector
    graph = inspector.trace(z)              # graph.network is a networkx MultiDiGraph
    inspector.draw(z).save("z.svg")
    with inspector.record(model, optimizer) as recording:
        loss.backward()
    recording.calls[0].graph.at("after")
    recording.findings                      # what is wrong with the gradients, and on which line
    with inspector.watch(model, optimizer) as flight:
        train()                             # every step: flight.columns(), flight.findings
    %load_ext inspector                     # in a notebook: %%inspect, %inspect_on

PYTEST_DONT_REWRITE: `inspect -m pytest` imports the package before pytest starts, which pytest would warn of
otherwise.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from inspector.api.diagnose import GradientError as GradientError
    from inspector.api.diagnose import assert_gradients as assert_gradients
    from inspector.api.diagnose import diagnose as diagnose
    from inspector.api.draw import Picture as Picture
    from inspector.api.draw import draw as draw
    from inspector.api.independence import assert_causal as assert_causal
    from inspector.api.independence import assert_independent as assert_independent
    from inspector.api.make_dot import make_dot as make_dot
    from inspector.api.plot import plot as plot
    from inspector.api.plot import plot_norms as plot_norms
    from inspector.api.record import record as record
    from inspector.api.trace import trace as trace
    from inspector.api.watch import watch as watch
    from inspector.graph import Graph as Graph
    from inspector.report import ReportError as ReportError
    from inspector.report import load as load

_DOORS = {
    "trace": "inspector.api.trace",
    "draw": "inspector.api.draw",
    "make_dot": "inspector.api.make_dot",
    "Picture": "inspector.api.draw",
    "plot": "inspector.api.plot",
    "plot_norms": "inspector.api.plot",
    "record": "inspector.api.record",
    "watch": "inspector.api.watch",
    "diagnose": "inspector.api.diagnose",
    "assert_gradients": "inspector.api.diagnose",
    "GradientError": "inspector.api.diagnose",
    "assert_independent": "inspector.api.independence",
    "assert_causal": "inspector.api.independence",
    "load": "inspector.report",
    "ReportError": "inspector.report",
    "Graph": "inspector.graph",
    "load_ipython_extension": "inspector.api.cell_magics",
    "unload_ipython_extension": "inspector.api.cell_magics",
}

__all__ = [
    "GradientError",
    "Graph",
    "Picture",
    "ReportError",
    "assert_causal",
    "assert_gradients",
    "assert_independent",
    "diagnose",
    "draw",
    "load",
    "make_dot",
    "plot",
    "plot_norms",
    "record",
    "trace",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import a public function on first use: `inspect --help` needs none of them, and not all need torch."""
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("inspector.api")  # what a notebook shows of a Graph
    return getattr(import_module(_DOORS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOORS])
