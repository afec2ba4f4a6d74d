# ruff: noqa: RUF001  # typographic signs are what is looked for here
"""Figures as English words: numbers, money, units, times, dates, years.

One table of patterns, tried in its order over the whole text: the particular (a date) before the general (a number).
Figures that touch letters ("mp3", "H2O") are left to the voice.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.policy.number_words import amount, cardinal, digits, ordinal, plural, two_digits, year

_FIGURE = re.compile(r"\d")
_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+|\.\d+)"
_START = r"(?<![\w.,:/-])"
_END = r"(?!\w)(?![.,:/-]\d)"
"""Between these, a figure is no part of a longer one."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTH = "(?P<month>" + "|".join(f"{name}|{name[:3]}t?" for name in _MONTHS) + r")\b\.?"
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1[1-9]\d\d|20\d\d)"
_HALF = r"(?P<half>[aApP])\.?[mM]\b\.?"
_SCALE = r"(?: ?(?P<scale>thousand|million|billion|trillion|bn|[kmMB])\b)?"
_SCALES = {"k": "thousand", "m": "million", "M": "million", "B": "billion", "bn": "billion"}
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "TB": ("terabyte", "terabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"),
    "GHz": ("gigahertz", "gigahertz"),
    "MHz": ("megahertz", "megahertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "h": ("hour", "hours"),
    "mins": ("minute", "minutes"),
    "min": ("minute", "minutes"),
    "secs": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "%": ("percent", "percent"),
}
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_PARTS = {2: ("half", "halves"), 3: ("third", "thirds"), 4: ("quarter", "quarters")}
_BEFORE_YEAR = (
    "in|since|until|till|by|from|of|year|around|before|after|during|circa|"
    "summer|spring|winter|autumn|fall|early|late|mid"
)


def in_words(text: str) -> str:
    """The text with its figures in words; a text that began with a figure begins with a capital."""
    spoken = text
    for pattern, words in _RULES if _FIGURE.search(text) else ():
        spoken = pattern.sub(words, spoken)
    if spoken != text and not text[0].isalpha():
        spoken = spoken[0].upper() + spoken[1:]
    return spoken


def _money(match: re.Match[str]) -> str:
    figures, scale = match["number"], match["scale"]
    one, many, cent, cents = _MONEY[match["sign"]]
    if scale:
        return f"{amount(figures)} {_SCALES.get(scale, scale)} {many}"
    whole, _, fraction = figures.replace(",", "").partition(".")
    if len(fraction) not in {0, 2}:
        return f"{amount(figures)} {many}"
    parts: list[str] = []
    if int(whole or 0) or not int(fraction or 0):
        parts.append(f"{amount(whole or '0')} {one if whole == '1' else many}")
    if int(fraction or 0):
        parts.append(f"{cardinal(int(fraction))} {cent if fraction == '01' else cents}")
    return " and ".join(parts)


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    return f"{amount(match['number'])} {one if match['number'] == '1' else many}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if match["half"]:
        rest = f" {two_digits(minute)}" if minute else ""
        return f"{cardinal(hour)}{rest} {match['half'].lower()}.m."
    if minute:
        return f"{cardinal(hour)} {two_digits(minute)}"
    return f"{cardinal(hour)} o'clock" if 0 < hour <= 12 else f"{cardinal(hour)} hundred"


def _hour(match: re.Match[str]) -> str:
    return f"{cardinal(int(match['hour']))} {match['half'].lower()}.m."


def _month(name: str) -> str:
    return next(month for month in _MONTHS if month.startswith(name[:3]))


def _with_year(date: str, figures: str | None) -> str:
    return f"{date}, {year(int(figures))}" if figures else date


def _iso_date(match: re.Match[str]) -> str:
    return _with_year(f"{_MONTHS[int(match['month']) - 1]} {ordinal(int(match['day']))}", match["year"])


def _month_day(match: re.Match[str]) -> str:
    return _with_year(f"{_month(match['month'])} {ordinal(int(match['day']))}", match["year"])


def _day_month(match: re.Match[str]) -> str:
    the = "The" if match["the"] == "The " else "the"
    return _with_year(f"{the} {ordinal(int(match['day']))} of {_month(match['month'])}", match["year"])


def _month_year(match: re.Match[str]) -> str:
    return f"{_month(match['month'])} {year(int(match['year']))}"


def _decade(match: re.Match[str]) -> str:
    figures = match["decade"]
    return plural(year(int(figures)) if len(figures) == 4 else cardinal(int(figures)))


def _part(match: re.Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if (top, bottom) == (24, 7):
        return "twenty-four seven"
    if bottom in _PARTS and 0 < top < bottom:
        one, many = _PARTS[bottom]
        return f"{cardinal(top)} {one if top == 1 else many}"
    return f"{cardinal(top)} out of {cardinal(bottom)}"


def _span(match: re.Match[str]) -> str:
    first, last = match["first"], match["last"]
    if re.fullmatch(_YEAR, first) and re.fullmatch(_YEAR, last):
        return f"{year(int(first))} to {year(int(last))}"
    return f"{first} to {last}"


def _year(match: re.Match[str]) -> str:
    return year(int(match["year"]))


def _phone(match: re.Match[str]) -> str:
    return ", ".join(digits(group) for group in re.findall(r"\d+", match[0]))


def _dotted(match: re.Match[str]) -> str:
    return " dot ".join(amount(part) for part in match[0].split("."))


def _number(match: re.Match[str]) -> str:
    return amount(match["number"])


_Words = Callable[[re.Match[str]], str] | str
_PATTERNS: tuple[tuple[str, _Words], ...] = (
    # dates, and figures that only look like arithmetic
    (_START + r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])" + _END, _iso_date),
    (r"(?<![\w.,-])(?:\+\d{1,3}[ -])?(?:\(\d{3}\) ?|\d{3}[- ])?\d{3}-\d{4}" + _END, _phone),
    (r"(?<!\w)\+\d{1,3}(?:[ -]?\d{2,}){2,}" + _END, _phone),
    (_START + r"\d+(?:\.\d+){2,}" + _END, _dotted),
    (_START + rf"(?P<the>[Tt]he )?{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR}{_END})?(?!\w)", _day_month),
    (rf"\b{_MONTH} (?:the )?{_DAY}(?:, {_YEAR})?" + _END, _month_day),
    (rf"\b{_MONTH},? {_YEAR}" + _END, _month_year),
    # times
    (_START + rf"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?: ?{_HALF})?" + _END, _clock),
    (_START + rf"(?P<hour>1[0-2]|[1-9]) ?{_HALF}", _hour),
    (r"(?<!\w)['’]?(?P<decade>[2-9]0|1[1-9]\d0|20\d0)['’]?s\b", _decade),
    (_START + r"(?P<feet>\d)'(?P<inches>\d{1,2})(?:\"|'')?(?!\w)", r"\g<feet> foot \g<inches>"),
    # spans and signs; the figures themselves are left to what follows
    (_START + r"(?P<first>[$€£¥]?\d+(?:\.\d+)?)(?:-| ?– ?)(?P<last>[$€£¥]?\d+(?:\.\d+)?)(?![.–-]?\d)", _span),
    (r"(?<!\w)(?:#|No\. ?|№ ?)(?=\d)", lambda match: "number " if match.start() else "Number "),
    (r"(?<=\d) ?[×x*] ?(?=\d)", " times "),
    (r"(?<=\d) ?\+ ?(?=\d)", " plus "),
    (r"(?<=\d) ?÷ ?(?=\d)", " divided by "),
    (r"(?<=\d) [-−] (?=\d)", " minus "),
    (r"(?<=[\w)]) ?= ?(?=[-−]?\d)", " equals "),
    (r"(?<!\w)[~≈] ?(?=\d)", "about "),
    (r"(?<![\w.,:/-])[-−](?=[$€£¥]?\.?\d)", "minus "),
    # amounts
    (rf"(?<!\w)(?P<sign>[$€£¥₹]){_NUMBER}{_SCALE}(?!\w)", _money),
    (_START + rf"{_NUMBER}{_SCALE} ?(?P<sign>[€£¥₹])", _money),
    (_START + rf"{_NUMBER} ?(?P<unit>{_UNIT})(?![\w°/])", _unit),
    (_START + r"(?P<top>\d{1,3})/(?P<bottom>\d{1,3})" + _END, _part),
    (_START + r"(\d+)(?:st|nd|rd|th)\b", lambda match: ordinal(int(match[1]))),
    (rf"(?P<before>\b(?i:{_BEFORE_YEAR}) ){_YEAR}" + _END, lambda match: match["before"] + _year(match)),
    (_START + rf"{_YEAR}(?=[.!?,;:)]*$|[.,;:)] | (?:was|is|will|had|were|has|and|saw)\b)", _year),
    (r"(?<![\w.])" + _NUMBER + r"(?!\w)", _number),
)
_RULES = tuple((re.compile(pattern), words) for pattern, words in _PATTERNS)
