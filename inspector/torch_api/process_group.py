"""Find out when `init_process_group` has set the default process group, which knows the rank of this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspector.torch_api.capability import Capability
from inspector.torch_api.patch import Patch

_NAME = "_update_default_pg"


def _find() -> Any:
    from torch.distributed import distributed_c10d

    if not callable(vars(distributed_c10d).get(_NAME)):
        raise AttributeError(f"torch.distributed.distributed_c10d has no {_NAME}")
    return distributed_c10d


DEFAULT_GROUP = Capability("default process group", "processes that the script starts are not watched", _find)


def on_default_group(tell: Callable[[int, int], None]) -> None:
    """Call `tell` with the rank and the size of each default group of this process and of its forks, once
    `init_process_group` has set it. No collective is called."""
    module = DEFAULT_GROUP.parts if _is_built() else None
    if module is None:
        return

    def wrapper(original: Any) -> Any:
        def update(group: Any) -> None:
            original(group)
            try:
                if group is not None and group != module.GroupMember.NON_GROUP_MEMBER:
                    tell(group.rank(), group.size())
            except Exception as error:  # it must not become an error of `init_process_group`
                DEFAULT_GROUP.turn_off(error)

        return update

    Patch((module,), _NAME, wrapper).install()


def _is_built() -> bool:
    import torch.distributed

    return torch.distributed.is_available()
