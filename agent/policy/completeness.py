# ruff: noqa: RUF001  # typographic marks are what is looked for here
"""Whether someone has finished, judged by the words so far.

Recognisers differ: some write no punctuation at all, some put a period after every fragment. So the last words decide,
not the marks: first what is complete by itself, then the signs that more must come; the rest is finished.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.policy import english as en

Completeness = Literal["finished", "unclear", "unfinished"]


@dataclass(frozen=True, slots=True)
class _Words:
    """The last sentence of what was said."""

    all: tuple[str, ...]
    core: tuple[str, ...]
    """Without greetings and the like before the sentence."""
    mark: str
    """What the text ends with, if it is no word; "..." for any run of dots."""
    text: str

    @property
    def last(self) -> str:
        return self.all[-1]

    @property
    def before(self) -> str:
        return self.all[-2] if len(self.all) > 1 else ""

    @property
    def asks(self) -> bool:
        """A question word stands somewhere before the last two words."""
        return any(word in en.QUESTIONS for word in self.all[:-1])


Finding = tuple[Completeness, str, str]
"""Completeness, the rule that decided, and why: a clause for a person, which never quotes the words."""
_Rule = Callable[[_Words], Finding | None]


def judge(text: str, language: str = "en") -> Finding:
    """Judge what was said so far by its last sentence. English rules stand in for languages that have none yet."""
    words = _words(text)
    if not words.all:
        return "unclear", "no_words", "there are no words yet"
    for rule in _RULES.get(language[:2].lower(), _ENGLISH):
        if finding := rule(words):
            return finding
    return "finished", "whole_sentence", "the words make a whole sentence"


def _words(text: str) -> _Words:
    text = text.strip().replace("’", "'")
    sentences = [part for part in re.split(r"(?<=[.!?])\s+(?=\S)", text) if re.search(r"\w", part)]
    last = sentences[-1] if sentences else ""
    tokens = re.findall(r"\w+(?:'\w+)*(?:[.:]\d+)*", last.lower())
    core = list(tokens)
    while len(core) > 1 and core[0] in en.LEAD_INS:
        del core[0]
    ending = re.search(r"(\.{2,}|…|[.,;:!?—–-])[\"')\]”]*$", last)
    mark = ending[1] if ending else ""
    return _Words(tuple(tokens), tuple(core), "..." if mark.startswith(("..", "…")) else mark, last)


# --- complete by itself ----------------------------------------------------------------------------------------------


def _short_answer(words: _Words) -> Finding | None:
    phrase = list(words.all)
    while phrase:
        if " ".join(phrase) in en.WHOLE and words.mark not in {",", "...", "-"}:
            return "finished", "short_answer", "it is a short answer or command"
        if phrase[-1] not in en.ADDRESSES and len(phrase) > 1 and phrase[0] in en.LEAD_INS:
            del phrase[0]
        elif phrase[-1] in en.ADDRESSES:
            del phrase[-1]
        else:
            return None
    return None


# --- more must come ---------------------------------------------------------------------------------------------------


def _hesitation(words: _Words) -> Finding | None:
    if words.last in en.HESITATIONS:
        return "unfinished", "hesitation", "you hesitate"
    phrase, core = " ".join(words.all), " ".join(words.core)
    if {phrase, core} & en.THINKING:
        return "unfinished", "thinking_aloud", "you search for words"
    if {phrase, core} & en.OPENINGS:
        return "unfinished", "opening", "you have only opened your sentence"
    return None


def _open_mark(words: _Words) -> Finding | None:
    if words.mark in {",", ";", ":", "-", "—", "–", "..."}:
        return "unfinished", "open_mark", "the words end with a mark that asks for more"
    return None


def _dictation(words: _Words) -> Finding | None:
    """A number that is being dictated, figure by figure."""
    figures = 0
    spoken = 0
    for word in reversed(words.all):
        if word not in en.DIGITS and not word.isdigit():
            break
        figures += len(word) if word.isdigit() else word not in {"double", "triple"}
        spoken += 1
    named = any(word in en.DICTATED for word in words.all)
    if figures >= 10:  # as long as numbers get
        return "finished", "number", "the number is complete"
    if figures >= 7 and (spoken > 1 or named):  # a number without its area code
        return "unclear", "number", "the number may be complete"
    if spoken > 1 or (named and figures > 1):
        return "unfinished", "number", "you are dictating a number"
    if named and figures:
        return "unclear", "number", "the number may go on"
    if _ends_in_number(words) and spoken == len(words.core) - 2 and words.core[:2] == ("what", "is"):
        return "unclear", "number", "a sum may follow"
    if _ends_in_number(words) and any(word in en.TIMED for word in words.all):
        return "unfinished", "number", "a number still asks for its unit"
    return None


def _ends_in_number(words: _Words) -> bool:
    return words.last in en.DIGITS | en.TEENS_AND_TENS or words.last.isdigit()


def _list(words: _Words) -> Finding | None:
    """Short items between commas, without an "and" before the last."""
    items = words.text.lower().split(",")
    if len(items) < 3 or re.match(r"\s*(?:and|or|but|so|then|please)\b", items[-1]):  # shortest list
        return None
    if all(len(item.split()) <= 3 for item in items[1:]):  # longer ones are clauses
        return "unfinished", "list", "you are listing things"
    return None


def _conjunction(words: _Words) -> Finding | None:
    if words.last in en.CONJUNCTIONS and not (words.last == "since" and words.before == "ever"):
        return "unfinished", "conjunction", "the last word joins on something more"
    return None


def _determiner(words: _Words) -> Finding | None:
    *_, article, before = ("", "", *words.all[:-1])
    described = words.last in en.ADJECTIVES and (
        before in en.DETERMINERS or (before in en.ADJECTIVES and article in en.DETERMINERS)
    )
    if words.last in en.DETERMINERS or described:
        return "unfinished", "determiner", "a noun is still missing"
    if words.last in en.RELATIONS and words.before == "the":
        return "unclear", "determiner", "the last word may ask for more"
    return None


def _preposition(words: _Words) -> Finding | None:
    last, before = words.last, words.before
    if last in en.LOOSE_PREPOSITIONS:
        return "unclear", "preposition", "the last word may ask for more"
    wished = before not in {"you", "i", "we", "they"} or words.all[-3:-2] in {("do",), ("did",), ("would",)}
    if last == "like" and words.asks and before != "feel" and wished:
        return "finished", "question", "it is a whole question"
    if last == "like":
        return "unfinished", "preposition", "the last word asks for more"
    if last not in en.PREPOSITIONS:
        return None
    if any(word in en.PARTICLE_VERBS.get(last, ()) for word in words.all[-5:-1]):
        return None
    asks = any(word in en.QUESTIONS - {"how", "how's", "why", "when"} for word in words.all[:-2])
    if asks and (before in en.STRANDING or before.endswith("ing")):
        return "finished", "question", "it is a whole question"
    if last == "to" and (before in {"love", "supposed"} or {"don't", "didn't", "if"} & set(words.all)):
        return "unclear", "preposition", "the last word may ask for more"
    return "unfinished", "preposition", "the last word asks for more"


def _auxiliary(words: _Words) -> Finding | None:
    last, before = words.last, words.before
    if last not in en.AUXILIARIES | en.CONTRACTIONS:
        return None
    after_subject = last in en.AUXILIARIES and before in en.PRONOUNS | {"that", "this", "there", "to", "please"}
    leads = set(words.all[:-2])
    if after_subject and leads & en.ELLIPTIC_LEADS and words.core[0] not in en.SUBORDINATORS:
        return "finished", "whole_sentence", "the words make a whole sentence"
    short_answer = len(words.core) == 2 and last not in en.BE | {"have", "has", "had", "should", "may", "might"}
    if after_subject and (leads & en.UNSURE_LEADS or short_answer):
        return "unclear", "auxiliary", "a verb may be missing"
    if last == "do" and before == "to":
        return None
    if before == "please" and last.endswith("n't"):
        return None
    return "unfinished", "auxiliary", "a verb is still missing"


def _pronoun(words: _Words) -> Finding | None:
    """Subjects wait for their verb, unless the question has turned them round ("who is she")."""
    last, before = words.last, words.before
    if last == "there" and before in en.BE and not words.asks:
        return "unfinished", "pronoun", "a subject still asks for its verb"
    if last not in en.PRONOUNS:
        return None
    turned_round = words.asks and (before in en.BE or before in {"what's", "who's", "where's", "how's"})
    if turned_round and words.core[0] in {"when", "why"}:
        return "unfinished", "pronoun", "a question has only begun"
    if turned_round and words.core[0] == "what" and last in {"you", "we", "they", "i"}:
        return "unclear", "pronoun", "a question may have only begun"
    if turned_round or words.all[-3:-1] in {("so", "do"), ("so", "am"), ("neither", "do"), ("neither", "am")}:
        return "finished", "question", "it is a whole question"
    if words.all[-2:] in {("and", "you"), ("about", "you"), ("than", "i"), ("than", "you")}:
        return None
    leads = en.AUXILIARIES | en.CONJUNCTIONS | en.QUESTIONS | en.OPINIONS | {"that"}
    if last == "you" and words.all[-3:-1] in {("would", "like"), ("i'd", "like")}:
        return "unfinished", "pronoun", "a wish still asks for its verb"
    if last in en.SUBJECTS or before in leads or len(words.all) == 1 or words.all[-3:-2] == ("what",):
        return "unfinished", "pronoun", "a subject still asks for its verb"
    return None


def _open_verb(words: _Words) -> Finding | None:
    last, before = words.last, words.before
    if last == "me" and before in en.GIVING and words.core != ("you", "tell", "me") and "don't" not in words.all:
        return "unfinished", "open_verb", "a verb still asks for its object"
    if before == "i" and last in en.OPINIONS and words.core[:-2] == ():
        return "unfinished", "open_verb", "a verb still asks for its object"
    if before == "to" and last in en.ERRANDS and not words.asks:
        return "unclear", "open_verb", "a verb may ask for its object"
    if last not in en.WANTING or words.asks:
        return None
    if {"if", "as", "whatever", "whenever", "wherever", "anything", "all", "everything"} & set(words.all):
        return "unclear", "open_verb", "a verb may ask for its object"
    return "unfinished", "open_verb", "a verb still asks for its object"


def _open_adverb(words: _Words) -> Finding | None:
    last, before = words.last, words.before
    hanging = (
        last in en.DEGREES
        or (last == "so" and before not in en.SO_ENDS)
        or (last == "not" and before not in en.NOT_ENDS and words.all[0] != "no")
        or (last == "that" and before in en.THAT_CLAUSES)
        or (last == "then" and before in en.CONJUNCTIONS)
    )
    if hanging:
        return "unfinished", "adverb", "the last word asks for more"
    quantity = last in en.QUANTITIES and before not in {"", "me", "one", "once"}
    return ("unclear", "adverb", "the last word may ask for more") if quantity else None


def _open_question(words: _Words) -> Finding | None:
    """Ends with a question word or hardly more: "tell me what", "how old", "i wonder why"."""
    last, before = words.last, words.before
    begun = (before in {"what", "how", "which"} and last in en.MEASURES) or before == "which"
    if begun or (last == "what" and before not in {"", "guess", "so", "say", "now", "then", "for", "know", "or"}):
        return "unfinished", "question_begun", "a question has only begun"
    if last in en.QUESTIONS and before not in {"guess", "so", "say", "now", "then", "for", "or"}:
        return "unclear", "question_begun", "a question may have only begun"
    core = words.core
    who_did = core[0] == "who" and len(core) == 2 and last not in en.AUXILIARIES  # "who wrote"
    why_is = core[0] == "why" and len(core) == 4 and core[1] in en.BE and core[2] in en.DETERMINERS
    return ("unclear", "question_begun", "a question may have only begun") if who_did or why_is else None


def _request_begun(words: _Words) -> Finding | None:
    """As in "could you please", "would you mind", "can you maybe"."""
    begun = re.fullmatch(
        r"(?:can|could|would|will|do|did) (?:you|we|i)(?: (?:please|maybe|perhaps|mind|also|just|possibly|like))*",
        " ".join(words.core),
    )
    return ("unfinished", "request_begun", "a request has only begun") if begun else None


def _clause_before_main(words: _Words) -> Finding | None:
    """A clause that announces another: "if it rains tomorrow"."""
    core = words.core
    if core[0] == "because":
        return "unclear", "subordinate_clause", "it may be half of a sentence"
    if core[0] not in en.SUBORDINATORS or (len(core) > 1 and core[1] in en.AUXILIARIES):
        return None
    subjects = sum(word.split("'")[0] in en.PRONOUNS for word in core)
    if subjects > 1 or any(word in en.MAIN_CLAUSES for word in core[4:]):
        return None
    return "unfinished", "subordinate_clause", "it is half of a sentence"


# --- no sign of either ------------------------------------------------------------------------------------------------


def _fragment(words: _Words) -> Finding | None:
    core = words.core
    if words.mark in {"?", "!"} or core[-1] in en.ADDRESSES:
        return None
    verb = any(word in en.VERBS or word.endswith(("ed", "ing")) for word in core)
    if core[0] in (en.DETERMINERS - en.QUESTIONS) | {"some"} and len(core) <= 4 and not verb:  # longer ones are clauses
        return "unclear", "fragment", "it may be the beginning of a sentence"
    if len(core) == 1 or (len(core) == 2 and core[0] in en.SUBJECTS):
        return "unclear", "fragment", "so few words tell little"
    return None


def _question(words: _Words) -> Finding | None:
    asks = words.mark == "?" or words.core[0] in en.QUESTIONS | en.AUXILIARIES
    return ("finished", "question", "it is a whole question") if asks else None


_ENGLISH: tuple[_Rule, ...] = (
    _short_answer,
    _hesitation,
    _open_mark,
    _dictation,
    _list,
    _conjunction,
    _determiner,
    _preposition,
    _auxiliary,
    _pronoun,
    _open_verb,
    _open_adverb,
    _open_question,
    _request_begun,
    _clause_before_main,
    _fragment,
    _question,
)
"""The first rule that finds something decides; if none does, the sentence is finished."""
_RULES = {"en": _ENGLISH}
