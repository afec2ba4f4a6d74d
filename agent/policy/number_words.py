"""English number words.

Own code, because a library for sixty languages costs the daemon 5 MB and 45 ms at start for these forty lines.
"""

from __future__ import annotations

_SMALL = (  # noqa: SIM905  # as a list it would take twenty lines
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_LONGEST_CARDINAL = 15
"""Digits; a longer number is read digit by digit."""


def cardinal(number: int) -> str:
    """`1234` -> "one thousand two hundred thirty-four"."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number == 0:
        return "zero"
    groups: list[str] = []
    for scale in _SCALES:
        number, rest = divmod(number, 1000)
        if rest:
            groups.append(_below_thousand(rest) + scale)
    return " ".join(reversed(groups))


def ordinal(number: int) -> str:
    """`22` -> "twenty-second"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last.endswith("y"):
        return f"{words[:-1]}ieth"
    return words[:cut] + _ORDINALS.get(last, f"{last}th")


def year(number: int) -> str:
    """`1905` -> "nineteen oh five", `2024` -> "twenty twenty-four", `2005` -> "two thousand five"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {two_digits(rest)}"


def two_digits(number: int) -> str:
    """The last part of a year or a time: `5` -> "oh five", `40` -> "forty"."""
    return f"oh {_SMALL[number]}" if 0 < number < 10 else cardinal(number)


def digits(figures: str) -> str:
    """Each digit by its name, whatever stands between them."""
    return " ".join(_SMALL[int(figure)] for figure in figures if figure.isascii() and figure.isdigit())


def amount(figures: str) -> str:
    """A whole or decimal number as written, with or without commas: "1,234.50" -> "... point five zero"."""
    whole, _, fraction = figures.replace(",", "").partition(".")
    whole = whole or "0"
    if len(whole) > _LONGEST_CARDINAL or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole)
    else:
        spoken = cardinal(int(whole))
    return f"{spoken} point {digits(fraction)}" if fraction else spoken


def plural(words: str) -> str:
    """Of number words, as in decades: "ninety" -> "nineties"."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest:
        parts.append(_below_hundred(rest))
    return " ".join(parts)


def _below_hundred(number: int) -> str:
    if number < len(_SMALL):
        return _SMALL[number]
    tens, rest = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[rest]}" if rest else "")
