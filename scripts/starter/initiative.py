"""The turns in which Parley is asked whether it wants to say something by itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .phrases import families, fill, sentence, slots
from .systems import TIMES

if TYPE_CHECKING:
    from .corpus import Talk

UNANSWERED = "You asked them something and they did not answer."
ORDINALS = ("second", "third", "fourth")


def request(quiet: str, tod: str, hint: str = "") -> str:
    """The exact form in which the daemon asks."""
    said = f"The user has been quiet for {quiet}. It is {tod}. {hint}".strip()
    return f"[{said} Say one short thing to them if it is worth it, or answer PASS.]"


def how_long(rng: random.Random) -> str:
    """A duration as the daemon writes it."""
    count = rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 45, 50))
    unit = rng.choice(("minute", "minute", "minute", "second", "hour"))
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def remark(talk: Talk) -> None:
    """Ask for a remark and give one, or PASS."""
    from .corpus import Message  # noqa: PLC0415 -- the two modules need each other

    rng = talk.rng
    tod = talk.setting.tod if talk.setting.tod and rng.random() < 0.6 else rng.choice(TIMES)
    hint, family, values = _occasion(talk)
    text = sentence(
        rng.choice(families("remarks.txt")[family or tod].answers[">"]), rng, talk.fresh() | values | {"tod": tod}
    )
    if talk.hushed_for < 1 or _not_worth_it(hint, tod, rng):
        text = "PASS"
    talk.messages.append(Message("user", request(how_long(rng), tod, hint), "initiative"))
    talk.messages.append(Message("assistant", text, "pass" if text == "PASS" else "remark"))


def _not_worth_it(hint: str, tod: str, rng: random.Random) -> bool:
    if "third" in hint or "fourth" in hint:
        return True
    return rng.random() < (0.45 if "second" in hint else 0.25 if tod == "night" else 0.08)


def _occasion(talk: Talk) -> tuple[str, str, dict[str, str]]:
    """A hint sentence, the family of remarks that fits, and the slots it takes."""
    rng, remarks = talk.rng, families("remarks.txt")
    kind = rng.random()
    if talk.last_said().endswith("?") and kind < 0.35:
        return UNANSWERED, "unanswered", {}
    if kind < 0.12:
        activity = rng.choice(slots()["activity"])
        values = {"activity": activity}
        return (
            fill(rng.choice(("They said they would {activity}.", "They wanted to {activity}.")), rng, values),
            "said_plan",
            values,
        )
    if kind < 0.27:
        return f"This is the {rng.choice(ORDINALS)} time you start by yourself.", "", {}
    if talk.family is not None and talk.family.name in remarks and kind < 0.8:
        needed = {"cooking": "dish", "pet_have": "pet", "hobby": "hobby", "travel": "place", "drink": "drink"}.get(
            talk.family.name
        )
        if needed is None or needed in talk.values:
            return "", talk.family.name, talk.values
    return "", "", {}
