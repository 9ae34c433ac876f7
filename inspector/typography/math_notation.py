r"""Mathematical names: `w_0` as w₀, `\theta` as θ, `\hat y` as ŷ.

They are single Unicode characters, so that every format can write them and text widths are correct.
"""

from __future__ import annotations

import re
import unicodedata

from inspector.typography.sanitize import sanitize

_SUBSCRIPTS = dict(zip("0123456789+-aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_SUPERSCRIPTS = dict(zip("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", strict=True))
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307"}
_GREEK = {"lambda": "lamda", "varepsilon": "epsilon", "varphi": "phi"}
"""TeX names that Unicode spells differently."""

_ACCENT = re.compile(r"\\(hat|bar|tilde|dot)\s*(?:\{(\w)\}|(\w))")
_LETTER = re.compile(r"\\([A-Za-z]+)\s*")
_RAISED = re.compile(r"([_^])(?:\{([^{}]*)\}|(.))")


def math_notation(text: str) -> str | None:
    """`text` in Unicode, as TeX would typeset it; None if Unicode lacks a character for it."""
    try:
        text = _ACCENT.sub(lambda found: _accented(found[1], found[2] or found[3]), text.strip())
        text = _LETTER.sub(lambda found: _greek(found[1]), text)
        text = _RAISED.sub(lambda found: _raised(found[1], found[2] if found[3] is None else found[3]), text)
    except KeyError:
        return None
    return sanitize(text) if text and not set(text) & set("\\{}_^$") else None


def _accented(accent: str, letter: str) -> str:
    """Raises KeyError unless there is one character for both: the bundled fonts cannot position accents."""
    both = unicodedata.normalize("NFC", letter + _ACCENTS[accent])
    if len(both) != 1:
        raise KeyError(both)
    return both


def _greek(name: str) -> str:
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    return unicodedata.lookup(f"GREEK {size} LETTER {_GREEK.get(name.lower(), name.lower()).upper()}")


def _raised(sign: str, text: str) -> str:
    table = _SUBSCRIPTS if sign == "_" else _SUPERSCRIPTS
    return "".join(table[character] for character in text.replace(" ", ""))
