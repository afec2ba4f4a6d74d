"""Whole conversations, made up: a system prompt, then turns until enough has been said."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from . import initiative
from .hearing import garbled, heard
from .phrases import Family, families, fill, intents, said, sentence, weight
from .systems import Setting, setting, user_name

_WHOLE = frozenset(
    {"joke", "riddle", "story", "poem", "crisis", "ood_medical", "opinion", "repeat", "fun_fact", "game"}
)
HUSHED = frozenset({"good_night", "quiet", "bye"})
# These may name a thing of their own accord.
_SUGGESTING = frozenset(
    "hungry dinner_idea ask_food ask_music ask_film ask_book ask_animals hobby_tip ask_travel favourite_colour".split()  # noqa: SIM905 -- shorter
)
_MUCH = {
    "name_self": 7.0,
    "good_night": 2.5,
    "quiet": 2.5,
    "bye": 2.5,
    "ood_fact": 1.6,
    "ood_action": 1.3,
    "statement": 0.8,
    "unclear": 1.6,
    "ask_random": 0.7,
    "time_ask": 7.0,
}
_FOLLOW = (("why", 2), ("and_you", 1), ("more", 2), ("yes", 2), ("no", 2), ("dont_know", 1), ("repeat", 1))
_KIND_OF = {"why": "w>", "more": "m>", "yes": "y>", "no": "n>"}
_NEUTRAL = {"time_ask": ["I have no clock, I am sorry.", "I do not know the time. I have no clock."],
            "good_time": ["Good to hear you. How are you?"], "late": ["Then let us take it gently."]}  # fmt: skip


@dataclass
class Message:
    """One turn, as a chat model gets it."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str
    """Its text."""
    family: str = ""
    """The intent it came from."""


@dataclass
class Talk:
    """One conversation while it grows."""

    rng: random.Random
    """Where all choices come from."""
    setting: Setting
    """What the system prompt says."""
    messages: list[Message] = field(default_factory=list)
    """So far."""
    values: dict[str, str] = field(default_factory=dict)
    """Slots of the last exchange."""
    family: Family | None = None
    """Intent of the last exchange."""
    hushed_for: int = 99
    """User turns since the user asked for quiet or left."""
    pending: list[tuple[int, Family, dict[str, str]]] = field(default_factory=list)
    """What will be come back to, and after how many turns."""

    def fresh(self) -> dict[str, str]:
        """Slot values that hold for the whole conversation."""
        user, rng = self.setting.user, self.rng
        tod = self.setting.tod or "day"
        values = {"me": self.setting.me, "tod": tod, "uc": f", {user}" if user and rng.random() < 0.4 else ""}
        return values | {"name": user or "", "lname": (user or "").lower(), "garbled": garbled(rng)}

    def hears(self, words: str, family: str = "", *, noise: float = 0.2) -> None:
        """The user says something."""
        known = (self.setting.me, *([self.setting.user] if self.setting.user else []))
        self.messages.append(Message("user", heard(words, self.rng, known, noise=noise), family))
        self.hushed_for = 0 if family in HUSHED else self.hushed_for + 1

    def says(self, text: str, family: str = "") -> None:
        """The assistant answers; a brief one leaves out all but the first sentence, mostly."""
        if self.setting.style == "brief" and family not in _WHOLE and self.rng.random() < 0.8:
            text = first_sentence(text)
        self.messages.append(Message("assistant", text, family))

    def last_said(self) -> str:
        """What the assistant said last."""
        return next((m.content for m in reversed(self.messages) if m.role == "assistant"), "")


def first_sentence(text: str) -> str:
    """Up to the first full stop, if anything follows it."""
    for at, sign in enumerate(text[:-1]):
        if sign in ".!?" and text[at + 1] == " " and at > 13:
            return text[: at + 1]
    return text


def conversation(rng: random.Random, enough: int = 1500) -> Talk:
    """A conversation of about `enough` characters, the system prompt included."""
    made = setting(rng)
    most = enough * (
        0.4 if enough < 600 else 0.8
    )  # a short talk needs room for turns, a longer one may have a long prompt
    while len(made.text) > most:
        made = setting(rng)
    talk = Talk(rng, made)
    talk.messages.append(Message("system", talk.setting.text))
    if rng.random() < 0.5:
        talk.says(
            rng.choice(
                ("Hello, I am {}.", "Hello. {} here.", "{}. Ready.", "Ah, there you are. {} here.", "Hi, this is {}.")
            ).format(talk.setting.me)
        )
    size = len(talk.setting.text)
    while size < enough:
        before = len(talk.messages)
        _step(talk)
        size += sum(len(m.content) + 4 for m in talk.messages[before:])
    return talk


def _step(talk: Talk) -> None:
    rng = talk.rng
    talk.pending = [(left - 1, family, values) for left, family, values in talk.pending]
    due = [entry for entry in talk.pending if entry[0] <= 0]
    kind = rng.random()
    if due:
        talk.pending.remove(due[0])
        _steps(talk, due[0][1], due[0][2], start=3)
    elif talk.hushed_for < 1 and kind < 0.8:
        initiative.remark(talk)
    elif talk.family is not None and kind < 0.17:
        _follow(talk)
    elif kind < 0.25:
        _about_names(talk)
    elif kind < 0.36:
        _exchange_of_several(talk)
    elif kind < 0.44 and not 0 < talk.hushed_for < 3:
        initiative.remark(talk)
    elif kind < 0.47 and talk.messages[-1].role == "assistant":
        _interrupt(talk)
    else:
        _intent(talk)


@cache
def _weights() -> list[float]:
    return list(accumulate(weight(family) * _MUCH.get(name, 1.0) for name, family in intents().items()))


def _intent(talk: Talk) -> None:
    rng, known = talk.rng, intents()
    family = rng.choices(list(known.values()), cum_weights=_weights())[0]
    values = talk.fresh()
    words = said(family, rng, values)
    if rng.random() < 0.04 and family.name not in {"unclear", "hello", "stop"}:
        before = rng.choice((known["hello"], known["ok"], known["thanks"], known["good_time"]))
        words = f"{said(before, rng, values)} {words}"
    talk.hears(words, family.name)
    talk.values, talk.family = values, family
    talk.says(answer(talk, family, values), family.name)


def answer(talk: Talk, family: Family, values: dict[str, str]) -> str:
    """One of the family's answers, in the personality's manner, using nothing that the prompt did not say."""
    rng, kind = talk.rng, ">"
    if talk.setting.style == "dry" and "d>" in family.answers and rng.random() < 0.65:
        kind = "d>"
    choices = family.answers[kind]
    if family.name not in _SUGGESTING:
        choices = [phrase for phrase in choices if not _unsaid(phrase, values)] or choices
    if talk.setting.tod is None:
        choices = [phrase for phrase in choices if "{tod}" not in phrase] or _NEUTRAL.get(family.name, ["I see."])
    return sentence(rng.choice(choices), rng, values)


def _unsaid(phrase: str, values: dict[str, str]) -> bool:
    """Whether the answer would name a thing that the user did not."""
    return any(slot.lower() not in values for slot in re.findall(r"{(\w+)}", phrase))


def _follow(talk: Talk) -> None:
    rng, family = talk.rng, talk.family
    asked = talk.last_said().endswith("?")
    options = [(n, w * (4 if asked and n in {"yes", "no", "dont_know"} else 1)) for n, w in _FOLLOW]
    if not asked:
        options = [(n, w) for n, w in options if n not in {"yes", "no"} or rng.random() < 0.3]
    name = rng.choices([n for n, _ in options], [w for _, w in options])[0]
    follow = families("followups.txt")[name]
    last = talk.last_said()
    talk.hears(said(follow, rng, talk.fresh()), name, noise=0.05)
    kind = _KIND_OF.get(name, "")
    own = family.answers.get(kind) if family else None
    if own and (asked or kind in {"w>", "m>"}):
        text = sentence(rng.choice(own), rng, talk.values)
    elif name == "repeat":
        plain = last.removeprefix("I said: ").removesuffix(" —")
        text = rng.choice(follow.answers[">"]).replace("{last}", plain)
    else:
        text = sentence(rng.choice(follow.answers[">"]), rng, talk.fresh())
    talk.says(text, name)


def _about_names(talk: Talk) -> None:
    rng, parts = talk.rng, families("exchanges.txt")
    if talk.setting.user is None and rng.random() < 0.7:
        talk.setting.user = user_name(rng)
        family = parts["told_name"]
    else:
        family = parts["ask_name" if talk.setting.user else "ask_name_unknown"]
    values = talk.fresh()
    words = said(family, rng, values)
    if family.name == "told_name" and rng.random() < 0.25:
        words = (
            f"{rng.choice(('hello', 'hi', 'hey', 'good morning', 'hello there', 'by the way', 'no', 'oh and'))} {words}"
        )
    talk.hears(words, family.name, noise=0.05)
    talk.says(sentence(rng.choice(family.answers[">"]), rng, values), family.name)
    talk.family = None


def _exchange_of_several(talk: Talk) -> None:
    several = [
        f for f in families("exchanges.txt").values() if f.name not in {"told_name", "ask_name", "ask_name_unknown"}
    ]
    family = talk.rng.choice(several)
    values = talk.fresh()
    cut = family.steps[2:3] and family.steps[2][0] == "~"
    if cut and family.name.startswith("recall"):
        _steps(talk, family, values, stop=2)
        talk.pending.append((talk.rng.choice((1, 1, 2, 2, 3, 5)), family, values))
    else:
        _steps(talk, family, values)
    talk.family = None


def _steps(talk: Talk, family: Family, values: dict[str, str], start: int = 0, stop: int | None = None) -> None:
    for sign, phrases in family.steps[start:stop]:
        if sign == "<":
            talk.hears(fill(talk.rng.choice(phrases), talk.rng, values), family.name, noise=0.08)
        elif sign == ">":
            talk.says(sentence(talk.rng.choice(phrases), talk.rng, values), family.name)


def _interrupt(talk: Talk) -> None:
    """The user cuts the last answer short; what was not played is not in the history."""
    words = talk.messages[-1].content.split()
    if len(words) < 5 or talk.messages[-1].content == "PASS":
        return _intent(talk)
    talk.messages[-1].content = " ".join(words[: talk.rng.randint(2, len(words) - 1)]) + " —"
    stop = intents()["stop"]
    if talk.rng.random() < 0.6:
        talk.hears(said(stop, talk.rng, talk.fresh()), "stop", noise=0.05)
        talk.says(talk.rng.choice(stop.answers[">"]), "stop")
        talk.family = None
        at = -2
    else:
        before = len(talk.messages)
        _intent(talk)
        at = before - len(talk.messages)
    if talk.rng.random() < 0.9:
        talk.messages[at].content = f"[You were interrupted.]\n{talk.messages[at].content}"
    return None
