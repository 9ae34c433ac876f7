"""Remove unsafe characters from the script's text: names, source and error messages can contain anything."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Control and format characters (e.g. marks of text direction), surrogates, private and unassigned code points.
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")
_RIGHT_TO_LEFT = ("R", "AL")
_LEFT_TO_RIGHT_MARK = "\u200e"
_BLANKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))


_JOINT = re.compile(r"(?<=[(\[{])\s*\n\s*|\s*\n\s*(?=[)\]}]|\.\w)")


def one_line(text: str) -> str:
    """Sanitized text with single spaces. Lines of code are joined as one would write them on one line: without a
    space after an opening bracket, and before a closing one or a method."""
    return " ".join(sanitize(_JOINT.sub("", text)).split())


def sanitize(text: str) -> str:
    """`text` as one line that is valid in every format: line breaks and tabs become spaces, control characters are
    dropped.

    Letters and accents are composed (NFC), since the bundled fonts cannot position accents.
    """
    return text if text.isascii() and text.isprintable() else _without_unsafe(text)


@lru_cache(maxsize=4_096)
def _without_unsafe(text: str) -> str:
    kept = (character for character in text.translate(_BLANKS) if unicodedata.category(character) not in _DROPPED)
    return unicodedata.normalize("NFC", "".join(kept))


def isolate_right_to_left(text: str) -> str:
    """A sanitized text with a left-to-right mark after each right-to-left word.

    Without the mark, such a word would reorder the symbols and numbers that follow it: `= 4` belongs right of a
    name in any script.
    """
    if text.isascii():
        return text
    kinds = [unicodedata.bidirectional(character) for character in text]
    ends = [*(kind not in (*_RIGHT_TO_LEFT, "NSM") for kind in kinds[1:]), True]
    marked = zip(text, kinds, ends, strict=True)
    return "".join(
        character + _LEFT_TO_RIGHT_MARK if end and kind in _RIGHT_TO_LEFT else character
        for character, kind, end in marked
    )
