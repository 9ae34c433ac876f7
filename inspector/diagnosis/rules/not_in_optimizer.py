"""Parameters get gradients but are not in any optimizer, although other parameters of the same model are.

Why it matters: backward fills their `grad`, but nothing uses it, and they keep their initial values. The loss
falls anyway, because the other parameters learn.

How to fix it: give the optimizer all parameters (`model.parameters()`), or add the missing ones as another
group. If they are meant to stay fixed, call `requires_grad_(False)`, which also saves computing their
gradients. A layer or an `nn.Parameter` that `forward` makes anew in each call is never trained:
make it in `__init__`.

Example:

    optimizer = torch.optim.Adam(model.decoder.parameters())      # and the encoder?
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.report import Finding
from inspector.report.row_types import LeafRow
from inspector.typography import pluralize


def check(evidence: Evidence) -> Iterator[Finding]:
    """For each model partly held by an optimizer that stepped: the parameters that no optimizer holds."""
    learning = {
        leaf["model"]: number
        for leaf in evidence.leaves
        for number in leaf["optimizers"]
        if number in evidence.stepped and leaf["model"] is not None and leaf["calls"]
    }
    forgotten = [
        leaf
        for leaf in evidence.leaves
        if not leaf["optimizers"]
        and leaf["registered"]
        and leaf["requires_grad"]
        and not leaf["written"]
        and leaf["name"] not in evidence.trained_later
        and any(row["gradient"] for row in leaf["calls"])
    ]
    for model, number in learning.items():
        rows = [leaf for leaf in forgotten if leaf["model"] == model]
        if rows:
            first = next(row for row in rows[0]["calls"] if row["gradient"])
            made = evidence.optimizers[number]["source"]
            one = f"parameter of {model} gets a gradient but is"
            many = f"parameters of {model} get gradients but are"
            yield RULE.found(
                f"{pluralize(len(rows), one, many)} not in any optimizer, although other parameters of the same "
                "model are",
                f"give them to {evidence.optimizer_name(number)}, or freeze them with requires_grad_(False)",
                at=Place(made, first["backward_call"], (first["tensor"],) if first["tensor"] else ()),
                parameters=[row["name"] for row in rows],
                evidence={"forgotten": len(rows)},
            )
    yield from _whole_models(evidence, forgotten, set(learning.values()))
    yield from _made_anew(evidence)


_ANEW = {
    "rebuilt": "makes new parameters for each backward call: they get gradients and are gone before the next "
    "call, so nothing trains them",
    "uses_rebuilt": "uses a parameter that is made anew for each backward call: it gets a gradient and is gone "
    "before the next call, so nothing trains it",
}
"""What is wrong with a line, by the kind of its row."""


def _made_anew(evidence: Evidence) -> Iterator[Finding]:
    """The lines that make or use parameters of one call only, which are gone before the next one."""
    for row in evidence.report.inventory.statements:
        if row["kind"] in _ANEW:
            what = "layer" if row["kind"] == "rebuilt" else "parameter"
            yield RULE.found(
                f"{row['text']} {_ANEW[row['kind']]}",
                f"make the {what} once, in __init__, and give it to the optimizer; if it is to be random, freeze "
                "it with requires_grad_(False)",
                at=Place(row["source"]),
            )


def _whole_models(evidence: Evidence, forgotten: list[LeafRow], numbers: set[int]) -> Iterator[Finding]:
    """Models of which no optimizer holds a parameter: notes, since a fixed network that was not frozen looks the
    same as a loss with parameters that were forgotten. numbers: of the optimizers that train other models; the
    line is that of the only one."""
    made = evidence.optimizers[next(iter(numbers))]["source"] if len(numbers) == 1 else None
    held = {leaf["model"] for leaf in evidence.leaves if leaf["optimizers"]}
    models = dict.fromkeys(leaf["model"] for leaf in forgotten if leaf["model"] is not None)
    for model in [model for model in models if model not in held and numbers]:
        names = [leaf["name"] for leaf in forgotten if leaf["model"] == model]
        one, many = f"parameter of {model} gets gradients", f"parameters of {model} get gradients"
        yield replace(RULE, severity="note").found(
            f"{pluralize(len(names), one, many)}, and no optimizer holds any parameter of {model}",
            "give them to an optimizer if they are to learn, or freeze them with requires_grad_(False)",
            at=None if made is None else Place(made),
            parameters=names,
            evidence={"forgotten": len(names)},
        )


RULE = Rule("not-in-optimizer", "warning", ("steps", "gradients"), check, __doc__)
