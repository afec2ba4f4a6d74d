"""System prompts: the three that ship, and endlessly many others, for owners write their own."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .phrases import families, fill, intents, names, said, sentence, slots

PROMPTS = Path(__file__).parents[2] / "prompts"
TIMES = ("morning", "afternoon", "evening", "night")


@dataclass
class Setting:
    """What the system prompt says, and so what the answers may use."""

    me: str
    """The assistant's name."""
    tod: str | None
    """Time of day, where the prompt names it."""
    user: str | None
    """The user's name, where the prompt names it."""
    style: str
    """`warm`, `dry` or `brief`."""
    text: str = ""
    """The prompt itself."""


def made_up_name(rng: random.Random) -> str:
    """A name nobody has; the model must copy it, not know it."""
    name = "".join(rng.choice(slots()["syllable"]) for _ in range(rng.choice((2, 2, 2, 3, 3)))).capitalize()
    return name + rng.choice(("",) * 12 + (" Two", " 9", "-7", " Junior", " " + name[:3].capitalize()))


def assistant_name(rng: random.Random) -> str:
    """A name from the lists, or a made-up one."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(names("assistant_names.txt"))
    return rng.choice(names("names.txt")) if kind < 0.45 else made_up_name(rng)


def user_name(rng: random.Random) -> str:
    """Mostly a common first name."""
    return rng.choice(names("names.txt")) if rng.random() < 0.85 else made_up_name(rng).split()[0].split("-")[0]


@cache
def shipped(name: str) -> str:
    """The body of one shipped personality."""
    return (PROMPTS / f"{name}.md").read_text(encoding="utf-8").split("---", 2)[2].strip()


def render(body: str, me: str, tod: str, user: str | None) -> str:
    """Fill the three placeholders of a personality's body."""
    known = f"Their name is {user}." if user else "You do not know their name yet."
    return body.replace("{name}", me).replace("{time_of_day}", tod).replace("{user}", known)


def setting(rng: random.Random) -> Setting:
    """A random system prompt and what it says."""
    me, tod = assistant_name(rng), rng.choice(TIMES)
    user = user_name(rng) if rng.random() < 0.45 else None
    if rng.random() < 0.3:
        file, style = rng.choice((("parley", "warm"), ("juniper", "dry"), ("flint", "brief")))
        own = file.capitalize() if rng.random() < 0.4 else me
        return Setting(own, tod, user, style, render(shipped(file), own, tod, user))
    made = Setting(me, tod, user, rng.choices(("warm", "dry", "brief"), (6, 2, 2))[0])
    made.text = _compose(made, rng)
    return made


def _line(family: str, made: Setting, rng: random.Random) -> str:
    values = {"me": made.me, "name": made.user or "", "tod": made.tod or ""}
    parts = families("systems.txt")
    values["role"] = rng.choice(parts["role"].answers[">"])
    phrase = rng.choice(parts[family].answers[">"])
    while "{trait}" in phrase:
        own = made.style in {"dry", "brief"} and rng.random() < 0.7
        words = parts[f"{made.style}_words" if own else "trait_words"].answers[">"]
        phrase = phrase.replace("{trait}", rng.choice(words), 1)
    return fill(phrase, rng, values)


def _compose(made: Setting, rng: random.Random) -> str:
    facts: list[str] = []
    if rng.random() < 0.9:
        facts.append(_line("time", made, rng))
    else:
        made.tod = None
    if made.user:
        facts.append(_line("known", made, rng))
    elif rng.random() < 0.7:
        facts.append(_line("unknown", made, rng))
    rules = [_line("rule", made, rng) for _ in range(int(rng.triangular(0, 14, 2)))]
    if made.style != "warm":
        words = families("systems.txt")[f"{made.style}_words"].answers[">"]
        rules.append(
            rng.choice(("You are {}.", "Your manner is {}.", "Be {}.", "Stay {} in what you say.")).format(
                rng.choice(words)
            )
        )
    rng.shuffle(rules)
    first = [_line("intro", made, rng)]
    if rng.random() < 0.25:
        first = facts + first
    elif rng.random() < 0.8:
        first += facts
    else:
        rules += facts
    text = rng.choice((" ", " ", "\n")).join(first + rules[:3]) + rng.choice((" ", "\n\n")) + " ".join(rules[3:])
    return (text.strip() + _traits(made, rng) + _examples(made, rng)).strip()


def _traits(made: Setting, rng: random.Random) -> str:
    if rng.random() < 0.65:
        return ""
    lines = "\n".join(rng.choice(("- ", "- ", "* ")) + _line("trait", made, rng) for _ in range(rng.randint(2, 5)))
    return f"\n\n{rng.choice(('## Traits', '## Character', 'Traits:', '# How you are'))}\n\n{lines}"


def _examples(made: Setting, rng: random.Random) -> str:
    if rng.random() < 0.7:
        return ""
    lines: list[str] = []
    for family in rng.sample(list(intents().values()), rng.randint(1, 4)):
        values = {"me": made.me, "uc": "", "tod": made.tod or "day", "garbled": "the of box"}
        kind = "d>" if made.style == "dry" and "d>" in family.answers else ">"
        lines.append(f"User: {said(family, rng, values)}")
        lines.append(f"{made.me}: {sentence(rng.choice(family.answers[kind]), rng, values)}")
    return f"\n\n{rng.choice(('## Examples', 'Examples:', '## How you talk'))}\n\n" + "\n".join(lines)
