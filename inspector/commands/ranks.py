"""A script that a launcher (`torchrun`, `accelerate launch`) runs in several processes: each has its own output.

The ranks do not talk to each other on behalf of the inspector, so it cannot make them wait. When its script has
ended, rank 0 reads what the others wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from inspector.commands.ci_annotations import FOUND
from inspector.commands.options import Destination, Options
from inspector.commands.output_folder import display_path
from inspector.commands.stderr_output import StderrOutput


class Rank(Struct, frozen=True):
    """A process of a group.

    number: from 0. world: the number of processes. local: how many of them are on this machine.
    """

    number: int
    world: int
    local: int

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
        local = int(environment.get("LOCAL_WORLD_SIZE", world))
    except (KeyError, ValueError):
        return None
    return Rank(number, world, local) if world > 1 and 0 <= number < world else None


def conclude(rank: Rank, options: Options, started: float, output: StderrOutput) -> bool:
    """For rank 0, whose script has ended: a line on the others and, if all are on this machine, the merged report.

    started: when this process started. Returns whether `--fail-on` makes the command fail because of a rank.
    """
    output.say(rank.others(options.destination))
    if options.destination.file is not None:
        return False
    folder = options.destination.folder.parent
    if rank.local != rank.world:
        where = display_path(folder)
        output.say(f"other ranks are on other machines: with all reports in one folder, inspect merge {where}")
        return False
    return merged(folder, options, started, output)


def merged(folder: Path, options: Options, started: float, output: StderrOutput) -> bool:
    """Merge the reports of a run in a folder: see `conclude`."""
    from inspector.commands.merge import merge_run

    status = merge_run(folder, options, started)
    if status is None:
        output.say(f"the ranks were not merged: inspect merge {display_path(folder)}")
    return status == FOUND


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
