import dataclasses


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


raise Frozen(3)
