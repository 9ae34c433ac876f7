"""A cheap frozen dataclass (immutability is checked by mypy only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**options: Any) -> Any:
        """Stand-in for the function in `typing` (Python 3.11), which only mypy reads."""
        return lambda function: function


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def fast_dataclass(cls: type[_Class]) -> type[_Class]:
    """A dataclass that mypy treats as frozen. `frozen=True` at run time would make construction several times
    slower."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
