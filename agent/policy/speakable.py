# ruff: noqa: RUF001  # typographic signs are what is looked for here
"""What of a written sentence can be said aloud, and how.

A raw sentence (as `sentences` cuts it, or any text) loses its markup, its links become their words, its code is named
instead of spelled out, and in English its abbreviations and figures become words. A plain sentence comes out as it was.
"""

from __future__ import annotations

import html
import re
import unicodedata

from agent.policy import english as en
from agent.policy.in_words import in_words
from agent.policy.markup import may_become_tag, without_tags

CODE_OMITTED = "Code omitted."

_PLAIN = re.compile(r"(?=[A-Za-z])[A-Za-z ,!?'\"-]*?(?P<last>[A-Za-z]*)[!?'\"-]*\.?\"?")
"""Letters without figures, markup or abbreviations: most sentences, and in a hurry."""
_BLOCK = re.compile(r"(```|~~~).*?(?:\1|$)", re.DOTALL)
_URL = r"(?:https?://|www\.)[^\s<>()\[\]]*[^\s<>()\[\].,;:!?'\"*_]"
_LINK = re.compile(r"!?\[([^\]\[]*)\]\(\s*([^()\s]*)[^()]*\)")
_BARE_IMAGE = re.compile(r"!\[\]\([^()]*\)")
_BARE_LINK = re.compile(rf"<?(?P<url>{_URL})>?")
_MAIL = re.compile(r"<?\b(?:mailto:)?([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)\b>?")
_DOMAIN = re.compile(r"\b((?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|edu|gov))(?:/[\w/.-]*\w)?(?![\w.-]\w)")

_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"\[(?:\^[\w-]+|\d{1,3})\]", ""),  # footnotes, sources
        (r"!?\[([^\]\[]+)\]\[[^\]\[]*\]", r"\1"),  # a link with its address elsewhere
        (r"^\s*\[[^\]]+\]:\s+\S+.*$", ""),  # that address
        (r"</?[a-zA-Z][^<>\n]*>", ""),  # HTML
        (r"^\s*(?:[-*_=]\s*){3,}$", ""),  # rules
        (r"^[\s|:-]*--[\s|:-]*$", ""),  # the line under a table's head
        (r"^\s*(?:>\s?)+", ""),  # quotes
        (r"^\s*#{1,6}\s+(.*?)\s*#*\s*$", r"\1"),  # headings
        (r"^\s*[-*+•‣◦▪●]\s+", ""),  # items
        (r"^\s*\[[ xX]\]\s+", ""),  # tasks
        (r"^(\s*)\*\*(\d{1,2})[.)]\s+", r"\1\2. **"),
        (r"^\s*(\d{1,2})[.)]\s+(?=\S)", r"\1: "),  # numbered items
        (r"``?([^`\n]+)``?", r"\1"),  # code in a line
        (r"(?<!\d)(\*{1,3})(?=[^\s*])([^*]+?)(?<=[^\s*])\1", r"\2"),
        (r"(?<!\w)(_{1,3})(?=[^\s_])(.+?)(?<=[^\s_])\1(?!\w)", r"\2"),
        (r"~~(?=\S).+?~~", ""),  # struck out
        (r"==(?=\S)(.+?)(?<=\S)==", r"\1"),
        (r"\*{2,}|(?<![\s\d])\*|\*(?![\s\d])|`|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)|~~", ""),  # halves left by the cut
    )
)
_ASIDE = 0xE000
"""Where escaped signs are put while the markup is looked for."""
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")
_SET_ASIDE = re.compile("[\ue000-\ue07f]")
_TABLE_ROW = re.compile(r"^\s*\|.*$|^[^|\n]*\|[^|\n]*\|.*$", re.MULTILINE)
_SMILE = re.compile(r"(?<!\S)(?:[:;=8][-^']?[)(DPpO/|*]|<3|\^_\^|:3)(?![^\s.,!?])")
_ARROW = re.compile(r"\s*[→⇒➜]\s*")
_SIGNS = (
    (re.compile(r"(?<=\s)&(?=\s)"), "and"),
    (re.compile(r"\band/or\b"), "and or"),
    (re.compile(r"\bw/(?=[\s\w])"), "with "),
    (re.compile(r"(?<=[\w)]) < (?=[\w(])"), " is less than "),
    (re.compile(r"(?<=[\w)]) > (?=[\w(])"), " is greater than "),
)
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ", "\u200b": None})

_ABBREVIATIONS = (
    (r"\bDr\.", "Doctor"),
    (r"\bMr\.", "Mister"),
    (r"\bMrs\.", "Missus"),
    (r"\bMs\.", "Miss"),
    (r"\bProf\.", "Professor"),
    (r"\bGen\.(?= [A-Z])", "General"),
    (r"\bCapt\.", "Captain"),
    (r"\bLt\.", "Lieutenant"),
    (r"\bSen\.(?= [A-Z])", "Senator"),
    (r"\bRev\.(?= [A-Z])", "Reverend"),
    (r"\bJr\.", "Junior"),
    (r"\bSr\.", "Senior"),
    (r"(?<=[a-z] )St\.(?= *(?:[a-z,;.!?]|$))", "Street"),
    (r"\bSt\.(?= [A-Z])", "Saint"),
    (r"\bMt\.(?= [A-Z])", "Mount"),
    (r"\bAve\.", "Avenue"),
    (r"\bBlvd\.", "Boulevard"),
    (r"\bRd\.", "Road"),
    (r"\be\.\s?g\.,?", "for example,"),
    (r"\bE\.\s?g\.,?", "For example,"),
    (r"\bi\.\s?e\.,?", "that is,"),
    (r"\bI\.e\.,?", "That is,"),
    (r"\betc\.", "et cetera"),
    (r"\bvs\.", "versus"),
    (r"\bapprox\.", "approximately"),
    (r"\bDept\.", "Department"),
    (r"\bInc\.", "Incorporated"),
    (r"\bLtd\.", "Limited"),
    (r"\bCorp\.", "Corporation"),
    (r"\bFig\.(?= ?\d)", "Figure"),
    (r"\bfig\.(?= ?\d)", "figure"),
    (r"\bvol\.(?= ?\d)", "volume"),
    (r"\bch\.(?= ?\d)", "chapter"),
    (r"\bpp\.(?= ?\d)", "pages"),
    (r"\bp\.(?= ?\d)", "page"),
    (r"\bMon\.(?= |$)", "Monday"),
    (r"\bTue(?:s)?\.(?= |$)", "Tuesday"),
    (r"\bWed\.(?= |$)", "Wednesday"),
    (r"\bThu(?:rs)?\.(?= |$)", "Thursday"),
    (r"\bFri\.(?= |$)", "Friday"),
)
_SPELLED = tuple((re.compile(pattern), words) for pattern, words in _ABBREVIATIONS)


def speakable(raw_sentence: str, language: str = "en") -> str:
    """The sentence as it is to be spoken; empty if there is nothing in it to say."""
    if (plain := _PLAIN.fullmatch(raw_sentence)) and plain["last"].lower() not in en.ABBREVIATIONS:
        return _tidy(raw_sentence)
    text = without_tags(raw_sentence)
    text = _BLOCK.sub(f" {CODE_OMITTED} ", text).translate(_STRAIGHT)
    text = _without_markup(_without_links(html.unescape(text)))
    text = _without_pictures(text)
    if language.startswith("en"):
        text = _in_english(text)
    text = _tidy(text)
    return text if any(char.isalnum() for char in text) else ""


def is_pass(reply_so_far: str, *, finished: bool = False) -> bool | None:
    """Whether the model chose silence: its reply, or the first line of it, is PASS in any case, with or without a dot.

    None while more characters could still make it so; say `finished` when there are none to come.
    """
    text = without_tags(reply_so_far).lstrip().lstrip("\"'*[(")
    first_line, newline, _ = text.partition("\n")
    word = first_line.strip().rstrip(".!\"'*])").casefold()
    if word == "pass" and (newline or finished):
        return True
    if finished or newline:
        return False
    undecided = "pass".startswith(word) if len(word) < len("pass") else word == "pass"
    return None if undecided or may_become_tag(without_tags(reply_so_far).strip()) else False


# --- markup ----------------------------------------------------------------------------------------------------------


def _without_links(text: str) -> str:
    """Links become their words, bare addresses their host."""
    text = _LINK.sub(lambda match: _words_of_link(match[1], match[2]), _BARE_IMAGE.sub("", text))
    text = _BARE_LINK.sub(lambda match: _host(match["url"]), text)
    text = _MAIL.sub(lambda match: f"{_dotted(match[1])} at {_dotted(match[2])}", text)
    return _DOMAIN.sub(lambda match: _dotted(match[1]), text)


def _words_of_link(words: str, address: str) -> str:
    if words.strip():
        return words
    return _host(address) if re.match(_URL, address) else "link"


def _host(url: str) -> str:
    host = re.sub(r"^https?://", "", url)
    return _dotted(re.split(r"[/?#:]", host.removeprefix("www."), maxsplit=1)[0]) or "link"


def _dotted(name: str) -> str:
    return name.replace(".", " dot ")


def _without_markup(text: str) -> str:
    text = _ESCAPED.sub(lambda match: chr(_ASIDE + ord(match[1])), text)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = _TABLE_ROW.sub(_cells, text)
    return _SET_ASIDE.sub(lambda match: chr(ord(match[0]) - _ASIDE), text)


def _cells(row: re.Match[str]) -> str:
    cells = (cell.strip() for cell in row[0].split("|"))
    return ", ".join(cell for cell in cells if cell)


def _without_pictures(text: str) -> str:
    """Without emoji, box drawing and their like."""
    return "".join(" " if _is_picture(char) else char for char in _SMILE.sub("", _ARROW.sub(", ", text)))


def _is_picture(char: str) -> bool:
    if char.isascii() or char in "°№":
        return False
    if char in "\u200d\u20e3" or "\ufe00" <= char <= "\ufe0f" or "\U000e0000" <= char <= "\U000e007f":
        return True
    in_block = "\u2190" <= char <= "\u21ff" or "\u2500" <= char <= "\u27bf" or "\U0001f3fb" <= char <= "\U0001f3ff"
    return in_block or unicodedata.category(char) in {"So", "Co", "Cs", "Cn"}


# --- words -----------------------------------------------------------------------------------------------------------


def _in_english(text: str) -> str:
    for sign, words in _SIGNS:
        text = sign.sub(words, text)
    for pattern, words in _SPELLED:
        text = pattern.sub(lambda match, words=words: _spelled(match, words), text)
    return in_words(text.strip())


def _spelled(match: re.Match[str], words: str) -> str:
    """The period of an abbreviation at the very end ends the sentence too."""
    return words if match.string[match.end() :].strip(" \"')") else f"{words.rstrip(',')}."


def _tidy(text: str) -> str:
    """Single spaces, none before a mark, no strings of marks; a mark at the end."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\(\s*\)|\[\s*\]", "", text)
    text = re.sub(r" +([.,;:!?])(?!\w)", r"\1", text)
    text = re.sub(r"\.{4,}", "...", text)
    text = re.sub(r"([!?])[!?]+", r"\1", text)
    text = re.sub(r",(?:\s*,)+", ",", text).lstrip(",;. ").strip()
    if text and text[-1].isalnum():
        text += "."
    return text
