"""Layout errors. The command reports them in one line; the report is complete without the picture."""

from __future__ import annotations


class LayoutFailed(Exception):
    """The layout engine crashed, failed or took too long. The message is one line."""


class TooManyBoxes(LayoutFailed):
    """The graph is too large for one picture. `count`: the number of boxes it would need."""

    def __init__(self, count: int, bound: int, what: str = "boxes", where: str = "one picture") -> None:
        self.count = count
        super().__init__(
            f"{count:,} {what} are too many for {where} (at most {bound:,}): fold the graph or draw "
            "a path; the whole graph is in report.json"
        )
