"""The held-out phrasings are really held out, and the judge is strict."""

from __future__ import annotations

import re

from scripts.starter import judge
from scripts.starter.evaluate import held_out
from scripts.starter.phrases import slots


def test_every_accepted_family_exists() -> None:
    known = set(judge.all_families()) | {"unclear"}
    assert not {name for accepted, *_ in held_out() for name in accepted} - known


def every_filling(phrase: str) -> re.Pattern[str]:
    """Matches whatever the generator can make of a phrase."""

    def value(name: str) -> str:
        return "|".join(map(re.escape, slots().get(name.lower(), ["peter", "susan", "david"])))

    parts = re.split(r"([\[\]|{}])", phrase)
    pattern, in_slot = "", False
    for part in parts:
        if part in {"{", "}"}:
            in_slot = part == "{"
        elif part in {"[", "]", "|"}:
            pattern += {"[": "(?:", "]": ")", "|": "|"}[part]
        else:
            pattern += f"(?:{value(part)})" if in_slot else re.escape(part).replace("\\ ", " *")
    return re.compile(pattern, re.IGNORECASE)


def test_no_held_out_phrasing_can_be_generated() -> None:
    patterns = [every_filling(phrase) for family in judge.all_families().values() for phrase in family.said]
    assert every_filling("i [like|love] {dish} [|today]").fullmatch("i love curry")
    assert [words for _, words, _ in held_out() if any(pattern.fullmatch(words) for pattern in patterns)] == []


def test_a_known_answer_is_judged_to_be_of_its_own_family() -> None:
    known = judge.Judge()
    assert known.accepts("I am Zelda. Nice to talk with you.", {"name_self"})
    assert not known.accepts("I am Zelda. Nice to talk with you.", {"tired"})
    assert not known.accepts("Quite another thing entirely, madam.", {"tired"})


def test_answers_of_other_families_seldom_pass() -> None:
    assert judge.confusion(held_out()[::8], draws=2) < 0.05
