"""A script that a launcher (`torchrun`, `accelerate launch`) runs in several processes: each has its own output.

The ranks do not talk to each other on behalf of the inspector, so it cannot make them wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inspector.commands.options import Destination, Options
from inspector.commands.output_folder import display_path


@dataclass(frozen=True)
class Rank:
    """A process of a group. number: from 0. world: the number of processes."""

    number: int
    world: int

    @property
    def folder(self) -> str:
        """`rank-0003`, the folder of this rank in the output folder."""
        return _folder(self.number)

    def others(self, destination: Destination) -> str:
        """A line on the output of the other ranks, for rank 0 to print."""
        names = [_folder(number) for number in range(1, self.world)]
        them = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        where = destination.folder.parent if destination.file is None else destination.file.parent
        others = "the other rank wrote" if len(names) == 1 else "the other ranks wrote"
        return f"rank 0 of {self.world}; {others} {them} in {display_path(where)}/"


def rank_of(environment: Mapping[str, str]) -> Rank | None:
    """The rank that a launcher gave this process; None for a single process."""
    try:
        number, world = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    except (KeyError, ValueError):
        return None
    return Rank(number, world) if world > 1 and 0 <= number < world else None


def options_of(rank: Rank, options: Options) -> Options:
    """The options with a folder, or a name of the one file, that is this rank's own. Only rank 0 opens a page."""
    to = options.destination
    if to.file is None:
        to = replace(to, folder=to.folder / rank.folder)
    else:
        to = replace(to, file=to.file.with_name(f"{to.file.stem}.{rank.folder}{to.file.suffix}"))
    return replace(options, destination=to, opens=options.opens and rank.number == 0)


def _folder(number: int) -> str:
    return f"rank-{number:04}"
