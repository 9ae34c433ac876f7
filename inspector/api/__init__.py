"""The public functions for notebooks, tests and other programs: trace, draw, record, load."""

from inspector.graph import Graph


def _shown(graph: Graph) -> dict[str, str]:
    from inspector.api.notebook import graph_bundle  # late: only a notebook needs the page

    return graph_bundle(graph)


Graph.shown_in_notebooks_by(_shown)
