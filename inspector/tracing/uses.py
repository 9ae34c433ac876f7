"""How the forward used tensors and numbers: the arguments of its calls that need no gradient, and their names."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from inspector.tensor_stats import Pending
from inspector.user_code.operand_texts import NO_TEXT, OperandText


class Use(Struct, eq=False):
    """The first use of a tensor under a name of the script.

    name: empty before one is known. scope: the id of the code that uses it. number: of the Node that was created
    next. Both are 0 for a name that it was not used under: a view of a tensor with this name, a parameter that
    torch's code used. shape: of the tensor with this name, if it is a view of that in another shape.
    """

    name: str = ""
    scope: int = 0
    number: int = 0
    shape: tuple[int, ...] | None = None


class TensorType(NamedTuple):
    """The shape and the dtype of a tensor, by torch's name."""

    shape: list[int]
    dtype: str


class SeenConstant(Struct, eq=False):
    """An argument of a recorded call that needs no gradient.

    place: its position among the positional arguments, or its keyword. use, type: of a tensor; None for a number.
    scope: the id of the code that names it. where: of the instruction in this code. is_loops: whether a `for` loop
    assigns its name.
    """

    place: int | str
    value: Pending | complex
    text: OperandText = NO_TEXT
    use: Use | None = None
    type: TensorType | None = None
    scope: int = 0
    where: int = 0
    is_loops: bool = False


class SeenCall(Struct, eq=False):
    """The constants of a recorded call. operation: torch's name of it. count: of its positional arguments."""

    operation: str
    count: int
    constants: tuple[SeenConstant, ...]
