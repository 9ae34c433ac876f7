"""How a figure is presented: step by step, in which words and colours, and what is left blank for the reader.

Imports only the choices and the words, so that `inspect --help` is fast.
"""

from __future__ import annotations

from msgspec import Struct, field

from inspector.options.choices import COLOURS, Handout, Order, check_choice
from inspector.options.words import ENGLISH, Words


class Highlight(Struct, frozen=True):
    """A tensor that stands out, by its name, and its colour (`COLOURS`)."""

    name: str
    colour: str


class Presentation(Struct, frozen=True):
    """How a figure is presented.

    frames: also draw one picture per step, in this order. reveal: start with the leaves alone, and show what each
    step reaches. highlights: tensors in their own colours. handout: leave the numbers out, or show them as the
    solution. title: of the figure; without one, the code that created the root, if it is short. notes: lines below
    the title.
    """

    frames: bool = False
    order: Order = "engine"
    reveal: bool = False
    highlights: tuple[Highlight, ...] = ()
    handout: Handout | None = None
    words: Words = field(default=ENGLISH)
    title: str = ""
    notes: tuple[str, ...] = ()


PLAIN = Presentation()


def read_highlights(wanted: tuple[str, ...]) -> tuple[Highlight, ...]:
    """The tensors of `u` or `u=teal`, each with its colour, or with the next free one.

    Raises ValueError, with the valid colours, for an unknown one.
    """
    named = [(name.strip(), colour.strip()) for name, _, colour in (one.partition("=") for one in wanted)]
    for name, colour in named:
        if not name:
            raise ValueError("--highlight: expected a tensor, as in --highlight u or --highlight u=teal")
        if colour:
            check_choice("colour", colour, COLOURS)
    taken = {colour for _, colour in named}
    free = [colour for colour in COLOURS if colour not in taken] or list(COLOURS)
    found, turn = [], 0
    for name, colour in named:
        if not colour:
            colour, turn = free[turn % len(free)], turn + 1
        found.append(Highlight(name, colour))
    return tuple(found)
