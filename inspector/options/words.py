"""The words of a figure: its captions, titles and legends, and a file with other ones.

Imports nothing of the inspector, so that `inspect --help` is fast.
"""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

WORDS: Mapping[str, str] = {
    # the heading
    "moment-before": "before",
    "moment-after": "after",
    "step": "step {number} of {count}",
    "steps": "steps {first}\N{EN DASH}{last} of {count}",
    "forward-step": "forward, step {number} of {count}",
    # captions of the forward
    "leaves": "The leaves: {values}.",
    "forward": "{name} = {formula} = {value}",
    "forward-unnamed": "{formula} = {value}",
    "forward-boxes": "{names} run",
    # captions before and after backward
    "before": "Forward is done: {values}. Backward has not begun.",
    "before-backward": "Forward is done. Backward has not begun.",
    "after": "Backward is done: {grads}.",
    "after-backward": "Backward is done.",
    "raised": "Backward stopped with an error: {error}",
    # captions of a step of backward
    "begins": "It begins at {name}: the gradient of {name} is {gradient}.",
    "arrive": "{count} gradients arrive and are added: {sum}.",
    "sum": "The gradient of the sum goes unchanged to both: {gradient}.",
    "sum-constant": "A constant term changes nothing: {gradient} goes on to {name}.",
    "difference": "The gradient of the difference goes unchanged to {first}, with the opposite sign to {second}: "
    "{gradients}.",
    "negative": "A minus sign turns the gradient: {gradient}.",
    "product": "\N{MULTIPLICATION SIGN} swaps: each factor gets the other times what arrives: {products}.",
    "product-constant": "{name} gets the constant factor times what arrives: {product}.",
    "chain": "The slope of {function} is {slope} here; times what arrives: {product} for {name}.",
    "chains": "The slopes of {function} here, times what arrives: {products}.",
    "passes": "{function} lets the gradient through unchanged: {gradient}.",
    "stops": "The slope of {function} is 0 here: nothing gets through to {name}.",
    "chooses": "Only what {function} chose gets the gradient: {products}.",
    "rearranges": "{function} only rearranges numbers, so the gradient is rearranged back: {gradients}.",
    "selects": "{function} took some of the numbers: their gradients go back to their places, the others get 0: "
    "{gradients}.",
    "copies": "{function} copied numbers: the gradients of all copies are added: {gradients}.",
    "spreads": "Every term of the sum gets the same gradient: {gradients}.",
    "averages": "Each of the {count} numbers gets 1/{count} of what arrives: {gradients}.",
    "sum-along": "The numbers of {part} were added, so each of them gets the gradient of its sum: {gradients}.",
    "mean-along": "The numbers of {part} were averaged, so each of them gets 1/{count} of the gradient of its "
    "mean: {gradients}.",
    "masks": "{function} lets {count} of the {total} numbers through unchanged, the others become 0: {gradients}.",
    "broadcast": "{name} was repeated along {part}, so its gradient is summed over {part}.",
    "matrix": "Each factor of the matrix product gets the other, transposed, times what arrives: {gradients}.",
    "matrix-constant": "{name} gets the other factor of the matrix product, transposed, times what arrives: "
    "{gradient}.",
    "matrix-forms": "Each factor of the matrix product gets the other, transposed, times "
    "\N{GREEK SMALL LETTER DELTA}, the gradient that arrives: {gradients}.",
    "forms": "With \N{GREEK SMALL LETTER DELTA}, the gradient that arrives at {function}: {gradients}.",
    "dot": "Each factor of the dot product gets the other times what arrives: {gradients}.",
    "dot-constant": "{name} gets the other factor of the dot product times what arrives: {gradient}.",
    "other": "{function} gets {gradient}; {gradients}.",
    "other-unknown": "{function} runs; {gradients}.",
    "unknown": "{function} runs; what it hands on is not known.",
    "leaf": "{name} has its whole gradient: {name}.grad = {grad}.",
    "leaf-adds": "{name}.grad was {before}; {gradient} is added: {name}.grad = {grad}.",
    "leaf-unknown": "The gradient of {name} goes into {name}.grad.",
    "box": "{name} runs backward: steps {first} to {last}.",
    "functions": "{count} functions run: {functions}.",
    # parts of captions
    "of-norm": "a gradient of norm {norm}",
    "gets": "{name} gets {value}",
    "gets-form": "{name} ({shape}) gets {form} = {value}",
    "gets-form-norm": "{name} ({shape}) gets {form}, of norm {norm}",
    "each-row": "each row",
    "each-column": "each column",
    "the-rows": "the {count} rows",
    "the-columns": "the {count} columns",
    "dimension": "dimension {numbers}",
    "nothing": "nothing",
    "leaf-name": "leaf",
    # legends
    "legend-order": "execution order",
    "legend-order-level": "order by level, from the root",
    "legend-order-boxes": "execution order of the boxes",
    "legend-gradients": "direction of gradients",
    "legend-values": "direction of values (gradients flow back)",
    "legend-value": "value (above the wire)",
    "legend-gradient": "gradient (below the wire)",
    "legend-constant": "constant, computed from input and output",
    "legend-tensor": "tensor of a Node: root or leaf",
}
"""Every text by its key, in English. `{name}` stands for what the figure puts there."""


class WordsError(ValueError):
    """A file of words that cannot be used. The message is one line."""


class Words(Struct, frozen=True):
    """The words of a figure. texts: those of a file. missing: the keys that it leaves out. path: of the file."""

    texts: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    path: Path | None = None

    def say(self, key: str, **parts: object) -> str:
        """The text of a key, with its parts in their places."""
        return self.texts.get(key, WORDS[key]).format(**parts)

    def of_text(self, text: str) -> str:
        """What stands for a text of `WORDS` that has no parts; any other text as it is."""
        key = _BY_TEXT.get(text)
        return text if key is None else self.texts.get(key, text)


ENGLISH = Words()
_BY_TEXT = {text: key for key, text in WORDS.items() if "{" not in text and key.startswith(("legend", "moment"))}


def read_words(path: Path) -> Words:
    """The words of a TOML or JSON file.

    Raises WordsError for a file that cannot be read, an unknown key, and a text with parts that its key has not.
    """
    texts = _read(path)
    unknown = [key for key in texts if key not in WORDS]
    if unknown:
        raise WordsError(f"{path.name}: unknown key {unknown[0]!r}; choose from: {', '.join(WORDS)}")
    for key, text in texts.items():
        if not isinstance(text, str):
            raise WordsError(f"{path.name}: the value of {key!r} is not a text")
        _check_parts(path, key, text)
    return Words(texts, tuple(key for key in WORDS if key not in texts), path.absolute())


def template() -> str:
    """A TOML file with every key and its English text, to be translated."""
    lines = [f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in WORDS.items()]
    return "\n".join(["# The words of a figure. Keep the names in {braces}.", *lines, ""])


def _read(path: Path) -> dict[str, str]:
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WordsError(f"cannot read {path}: {reason}") from error
    try:
        found = json.loads(content) if path.suffix == ".json" else _toml(path, content)
    except WordsError:
        raise
    except ValueError as error:  # of both formats
        raise WordsError(f"{path.name} is not valid {path.suffix.lstrip('.').upper()}: {error}") from error
    if not isinstance(found, dict):
        raise WordsError(f"{path.name}: expected keys and texts, as `inspect words` prints them")
    return found


def _toml(path: Path, content: str) -> object:
    if path.suffix != ".toml":
        raise WordsError(f"{path.name}: unknown suffix {path.suffix!r}; choose from: .toml, .json")
    if sys.version_info < (3, 11):
        raise WordsError(f"{path.name}: TOML needs Python 3.11; write the words as JSON")
    import tomllib

    return tomllib.loads(content)


def _check_parts(path: Path, key: str, text: str) -> None:
    valid = _parts(WORDS[key])
    try:
        used = _parts(text)
    except ValueError as error:
        raise WordsError(f"{path.name}: the text of {key!r} is invalid: {error}") from error
    for part in used - valid:
        choices = ", ".join(f"{{{name}}}" for name in sorted(valid)) or "no parts"
        raise WordsError(f"{path.name}: the text of {key!r} has an unknown part {{{part}}}; it may have {choices}")


def _parts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
