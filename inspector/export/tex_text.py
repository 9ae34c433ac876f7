r"""Text for LaTeX: every character becomes itself or a symbol, never a command.

pdflatex knows Latin letters; Greek letters, arrows and signs are set in math mode; anything else goes to
`\inspectorcharacter`, which uses the font under lualatex and xelatex and draws a small frame under pdflatex.
"""

from __future__ import annotations

import unicodedata

from inspector.typography.sanitize import sanitize

_COMMANDS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
    "-": "{-}", ",": "{,}", "?": "{?}", "!": "{!}", " ": r"\ ", "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~", "\N{EN DASH}": "--",
}  # fmt: skip
"""Characters with a special meaning in TeX, alone or in sequence (`--`, `,,`, `?\N{GRAVE ACCENT}`)."""

_SYMBOLS = {
    "\N{MINUS SIGN}": "-", "\N{MIDDLE DOT}": r"\cdot", "\N{DOT OPERATOR}": r"\cdot",
    "\N{MULTIPLICATION SIGN}": r"\times", "\N{DIVISION SIGN}": r"\div", "\N{PLUS-MINUS SIGN}": r"\pm",
    "\N{PARTIAL DIFFERENTIAL}": r"\partial", "\N{NABLA}": r"\nabla", "\N{INFINITY}": r"\infty",
    "\N{N-ARY SUMMATION}": r"\sum", "\N{N-ARY PRODUCT}": r"\prod", "\N{SQUARE ROOT}": r"\surd",
    "\N{INTEGRAL}": r"\int", "\N{RIGHTWARDS ARROW}": r"\rightarrow", "\N{LEFTWARDS ARROW}": r"\leftarrow",
    "\N{UPWARDS ARROW}": r"\uparrow", "\N{DOWNWARDS ARROW}": r"\downarrow",
    "\N{LEFT RIGHT ARROW}": r"\leftrightarrow", "\N{RIGHTWARDS DOUBLE ARROW}": r"\Rightarrow",
    "\N{LESS-THAN OR EQUAL TO}": r"\leq", "\N{GREATER-THAN OR EQUAL TO}": r"\geq",
    "\N{NOT EQUAL TO}": r"\neq", "\N{ALMOST EQUAL TO}": r"\approx", "\N{ELEMENT OF}": r"\in",
    "\N{PROPORTIONAL TO}": r"\propto", "\N{RING OPERATOR}": r"\circ", "\N{BULLET}": r"\bullet",
    "\N{CIRCLED DOT OPERATOR}": r"\odot", "\N{DOUBLE VERTICAL LINE}": r"\|", "\N{PRIME}": r"^{\prime}",
    "\N{VERTICAL ELLIPSIS}": r"\vdots",
}  # fmt: skip

_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu", "nu", "xi", "pi",
    "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
}  # fmt: skip
_GREEK_CAPITALS = {"gamma", "delta", "theta", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"}
_OTHER_NAMES = {"lamda": "lambda"}  # Unicode's spelling → TeX's
_LATIN = range(0xC0, 0x180)
_NOT_LETTERS = "\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}"
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`", "\N{COMBINING ACUTE ACCENT}": "'", "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~", "\N{COMBINING MACRON}": "=", "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING DOT ABOVE}": ".",
}  # fmt: skip


def escape(text: str) -> str:
    """The sanitized text, escaped for TeX."""
    pieces: list[str] = []
    for character in sanitize(text):
        accent = _ACCENTS.get(character)
        if accent is not None and pieces:  # a pair without a composed character
            pieces[-1] = rf"\inspectoraccent{{{accent}}}{{{pieces[-1]}}}"
        else:
            pieces.append(_character(character))
    return "".join(pieces)


def _character(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if character.isascii():
        return character
    if ord(character) in _LATIN and character not in _NOT_LETTERS:
        return character
    mathematics = _SYMBOLS.get(character) or _greek(character) or _raised(character)
    if mathematics:
        return rf"\ensuremath{{{mathematics}}}"
    return rf"\inspectorcharacter{{{ord(character):X}}}"


def _greek(character: str) -> str:
    """`\\alpha` for a Greek letter that TeX has, else ""."""
    words = unicodedata.name(character, "").split()
    if len(words) != 4 or words[0] != "GREEK" or words[2] != "LETTER":
        return ""
    name = _OTHER_NAMES.get(words[3].lower(), words[3].lower())
    if words[1] == "CAPITAL":
        return rf"\{name.capitalize()}" if name in _GREEK_CAPITALS or name == "lambda" else ""
    return rf"\{name}" if name in _GREEK or name == "lambda" else ""


def _raised(character: str) -> str:
    """`^{2}` for a superscript, `_{0}` for a subscript, else ""."""
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    if kind not in ("<super>", "<sub>") or " " in code:
        return ""
    base = chr(int(code, 16)).replace("\N{MINUS SIGN}", "-")
    return f"{'^' if kind == '<super>' else '_'}{{{base}}}" if base.isascii() else ""
