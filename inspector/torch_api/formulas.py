"""torch's derivative formulas: for `PowBackward0`, `{"self": "pow_backward(grad, self, exponent)"}`.

They come from `derivatives.yaml`, which the torch wheel includes (in `torchgen`) and from which torch generated
its backward functions. The class names are built as in `torchgen`'s `load_derivatives.py`: the operator's name in
title case, and the index of its overload in the order of the file.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from inspector.torch_api.capability import Capability

_NO_DERIVATIVE = "non_differentiable"
_ARGUMENT = re.compile(r"(\w+)(?:=[^,()]*)?\s*(?:,|\)\s*->)")
_ENTRY_START = "- name: "
_ENTRY = re.compile(r"^- name: +", re.MULTILINE)
_TYPED = re.compile(
    r"(?P<type>[A-Za-z]\w*)(?:\([^)]*\))?(?P<list>\??\[\d*\])?\??\s+(?P<name>\w+)(?:=(?P<default>[^,) ]+))?"
)


class Argument(NamedTuple):
    """An argument of an operation, as torch's signature has it.

    kind: what it takes; "other" for a parameter that is not an operand, such as a dimension. default: its text or
    None. is_differentiable: whether it has a slot in next_functions, one for each tensor of a list.
    """

    name: str
    kind: Literal["tensor", "tensors", "scalar", "other"]
    default: str | None
    is_differentiable: bool


class _Definition(Struct, frozen=True):
    formulas: dict[str, str]
    arguments: tuple[Argument, ...]


def formula(function_name: str) -> dict[str, str]:
    """The formula for each input (or group of inputs, `"input, weight, bias"`) of a backward function.

    Empty for what `derivatives.yaml` does not define: AccumulateGrad, CopySlices, custom Functions.
    """
    found = _definition(function_name)
    return {} if found is None else found.formulas


def arguments_of(function_name: str) -> tuple[Argument, ...]:
    """The arguments of the operation of a backward function, in the order of torch's signature; empty for what
    `derivatives.yaml` does not define."""
    found = _definition(function_name)
    return () if found is None else found.arguments


def _definition(function_name: str) -> _Definition | None:
    found = FORMULAS.parts
    if found is None:
        return None
    try:
        return found.get(function_name)
    except Exception as error:
        FORMULAS.turn_off(error)
        return None


class _Definitions:
    """The definitions in the text of `derivatives.yaml`.

    The entries of an operation are parsed when one of its functions is first asked for: the whole file takes
    longer than the inspection of a small script.
    """

    def __init__(self, text: str) -> None:
        self._entries: dict[str, list[str]] = {}
        self._parsed: dict[str, dict[str, _Definition]] = {}
        self._found: dict[str, _Definition | None] = {}
        for entry in _ENTRY.split(text)[1:]:
            self._entries.setdefault(_class_prefix(entry), []).append(_ENTRY_START + entry)
        if not self._entries:
            raise ValueError("derivatives.yaml has no entries")

    def get(self, function_name: str) -> _Definition | None:
        """The definition of a backward function; None if there is none."""
        if function_name not in self._found:
            name = function_name.removesuffix("_copy")
            prefix = "".join(name.rpartition("Backward")[:2])
            if prefix not in self._parsed:
                self._parsed[prefix] = _parsed("".join(self._entries.get(prefix, ())))
            self._found[function_name] = self._parsed[prefix].get(name)
        return self._found[function_name]


def _parsed(text: str) -> dict[str, _Definition]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    counts: Counter[str] = Counter()
    found: dict[str, _Definition] = {}
    for definition in yaml.load(text, Loader=loader) or ():
        for key, formulas in _by_dispatch_key(definition):
            derivatives = _backward_only(definition["name"], formulas)
            if not derivatives:
                continue  # torch numbers only what has a derivative
            prefix = _class_prefix(definition["name"]) + key
            arguments = _arguments(definition["name"], derivatives)
            found[f"{prefix}{counts[prefix]}"] = _Definition(derivatives, arguments)
            counts[prefix] += 1
    return found


def _find() -> _Definitions:
    return _Definitions(_path().read_text())


FORMULAS = Capability("derivatives.yaml", "torch's derivative formulas are unknown", _find)


def _path() -> Path:
    specification = importlib.util.find_spec("torchgen")
    if specification is None or not specification.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'torchgen'")
    return Path(specification.submodule_search_locations[0]) / "packaged" / "autograd" / "derivatives.yaml"


def _by_dispatch_key(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(suffix of the class name, formulas) for each dispatch key of one entry."""
    for key, formulas in definition.get("dispatch", {"Default": definition}).items():
        yield ("" if key == "Default" else key), formulas


def _backward_only(schema: str, formulas: dict[str, Any]) -> dict[str, str]:
    """The formulas of inputs; those named after outputs are forward derivatives."""
    inputs = set(_ARGUMENT.findall(schema[: schema.rindex("->") + 2]))
    return {
        names: str(text)
        for names, text in formulas.items()
        if text != _NO_DERIVATIVE and inputs.issuperset(name.strip() for name in names.split(","))
    }


def _arguments(schema: str, derivatives: dict[str, str]) -> tuple[Argument, ...]:
    """The arguments in a text such as `add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`."""
    differentiable = {name.strip() for names in derivatives for name in names.split(",")}
    found = _TYPED.finditer(schema[schema.index("(") + 1 : schema.rindex("->")])
    return tuple(
        Argument(item["name"], _kind(item["type"], item["list"]), item["default"], item["name"] in differentiable)
        for item in found
    )


def _kind(kind: str, of_list: str | None) -> Literal["tensor", "tensors", "scalar", "other"]:
    if kind == "Tensor":
        return "tensors" if of_list else "tensor"
    return "scalar" if kind == "Scalar" and not of_list else "other"


def _class_prefix(schema: str) -> str:
    name = schema[: schema.index("(")].partition(".")[0]
    return f"{name.title().replace('_', '')}Backward".replace("ForwardBackward", "Backward")
