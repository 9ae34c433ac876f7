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
from typing import Any

from inspector.torch_api.capability import Capability

_NO_DERIVATIVE = "non_differentiable"
_ARGUMENT = re.compile(r"(\w+)(?:=[^,()]*)?\s*(?:,|\)\s*->)")


def formula(function_name: str) -> dict[str, str]:
    """The formula for each input (or group of inputs, `"input, weight, bias"`) of a backward function.

    Empty for what `derivatives.yaml` does not define: AccumulateGrad, CopySlices, custom Functions.
    """
    found = FORMULAS.parts
    if found is None:
        return {}
    try:
        return found.get(function_name.removesuffix("_copy"), {})
    except Exception as error:
        FORMULAS.turn_off(error)
        return {}


def _formulas() -> dict[str, dict[str, str]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    counts: Counter[str] = Counter()
    found: dict[str, dict[str, str]] = {}
    for definition in yaml.load(_path().read_text(), Loader=loader):
        for key, formulas in _by_dispatch_key(definition):
            derivatives = _backward_only(definition["name"], formulas)
            if not derivatives:
                continue  # torch numbers only what has a derivative
            prefix = _class_prefix(definition["name"]) + key
            found[f"{prefix}{counts[prefix]}"] = derivatives
            counts[prefix] += 1
    return found


FORMULAS = Capability("derivatives.yaml", "torch's derivative formulas are unknown", _formulas)


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


def _class_prefix(schema: str) -> str:
    name = re.split(r"[.(]", schema, maxsplit=1)[0]
    title = "".join(part.title() for part in name.split("_"))
    return f"{title}Backward".replace("ForwardBackward", "Backward")
