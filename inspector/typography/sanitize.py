"""Remove unsafe characters from the script's text: names, source and error messages can contain anything."""

from __future__ import annotations

import unicodedata

# Controls, formats (that turn text around, say), surrogates, private and unassigned code points.
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")
_RIGHT_TO_LEFT = ("R", "AL")
_LEFT_TO_RIGHT_MARK = "\u200e"
_BLANKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))


def sanitize(text: str) -> str:
    """`text` as one line that every format can hold: line breaks and tabs as spaces, controls dropped.

    Letters and accents are put together (NFC), since the bundled fonts place no accents themselves.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = (character for character in text.translate(_BLANKS) if unicodedata.category(character) not in _DROPPED)
    return unicodedata.normalize("NFC", "".join(kept))


def isolate_right_to_left(text: str) -> str:
    """A cleaned text whose right-to-left words do not turn round the signs and numbers that follow them.

    Each such word reads as it is written; `= 4` stands right of a name in any script, as in every other figure.
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
