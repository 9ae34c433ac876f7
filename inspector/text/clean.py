"""What of a script's text may be drawn: names, source and error messages can hold anything."""

from __future__ import annotations

import unicodedata

# Controls, formats (that turn text around, say), surrogates, private and unassigned code points.
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")
_BLANKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))


def clean(text: str) -> str:
    """`text` as one line that every format can hold: line breaks and tabs as spaces, controls dropped.

    Letters and accents are put together (NFC), since the bundled fonts place no accents themselves.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = (character for character in text.translate(_BLANKS) if unicodedata.category(character) not in _DROPPED)
    return unicodedata.normalize("NFC", "".join(kept))
