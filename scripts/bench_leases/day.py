"""Days as a companion lives them, drawn from seeds. No day was recorded: they have the shape that one would have.

A day of sixteen hours holds conversations with pauses of half a minute to hours between them, in each some turns with
replies of six sentences; remarks of Parley's own while the user is silent; chores (the history is summarised as it
grows and when a conversation is over, the screen is looked at now and then); and, on most days, a game.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 16 * 3600.0
SENTENCES: Final = 6
"""Of a reply."""
_PAUSE_SECONDS: Final = (900.0, 1.0)
"""Between conversations: median, and sigma of the logarithm; a mean of 25 minutes."""
_TURNS: Final = 6
"""Of a conversation, on average."""
_GLANCE_SECONDS: Final = 600.0
"""Between looks at the screen, on average."""
_GAME_CHANCE: Final = 0.7


@dataclass(frozen=True, slots=True)
class Sentence:
    """One that the mind writes and the voice speaks."""

    write_seconds: float
    """Of the mind, alone on the card."""
    audio_seconds: float
    """As it is heard."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says, and how it will be answered."""

    pause_seconds: float
    """Of silence before the user speaks."""
    speech_seconds: float
    reply: tuple[Sentence, ...]

    @property
    def seconds(self) -> float:
        """About how long all of it takes."""
        return self.pause_seconds + self.speech_seconds + sum(sentence.audio_seconds for sentence in self.reply)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that follow each other."""

    at: float
    """Seconds into the day; it begins later if something before it lasts longer."""
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Game:
    """Something that wants the card for itself; what falls into its time comes after it."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Day:
    """One day, in order."""

    doings: tuple[Conversation | Game, ...]
    """Of the user."""
    glances: tuple[float, ...]
    """When the screen is looked at, if the user is there."""
    remark: tuple[Sentence, ...]
    """What Parley says of its own accord."""


def draw(seed: int) -> Day:
    """The day with this number."""
    rng = random.Random(seed)  # noqa: S311  # a seed makes a day repeatable, not secret
    conversations = _conversations(rng)
    doings = [*conversations, *_games(rng)]
    return Day(tuple(sorted(doings, key=lambda doing: doing.at)), _glances(rng), _sentences(rng, 2))


def _conversations(rng: random.Random) -> list[Conversation]:
    conversations: list[Conversation] = []
    at = 0.0
    while (at := at + max(30.0, _lognormal(rng, *_PAUSE_SECONDS))) < DAY_SECONDS:
        number = 1 + min(int(rng.expovariate(1 / (_TURNS - 1))), 30)
        turns = tuple(_turn(rng, first=not index) for index in range(number))
        conversations.append(Conversation(at, turns))
        at += sum(turn.seconds for turn in turns)
    return conversations


def _games(rng: random.Random) -> list[Game]:
    if rng.random() > _GAME_CHANCE:
        return []
    return [Game(rng.uniform(0.5, 0.9) * DAY_SECONDS, rng.uniform(1800.0, 5400.0))]


def _turn(rng: random.Random, *, first: bool) -> Turn:
    pause = 0.0 if first else _lognormal(rng, 2.5, 0.8)
    return Turn(pause, min(_lognormal(rng, 2.5, 0.6), 15.0), _sentences(rng, SENTENCES))


def _sentences(rng: random.Random, number: int) -> tuple[Sentence, ...]:
    """Of 8 to 24 words: a third more tokens, at 40 a second; spoken at 2.5 words a second."""
    words = [rng.randint(8, 24) for _ in range(number)]
    return tuple(Sentence(write_seconds=count * 4 / 3 / 40, audio_seconds=count / 2.5) for count in words)


def _glances(rng: random.Random) -> tuple[float, ...]:
    moments: list[float] = []
    at = 0.0
    while (at := at + rng.expovariate(1 / _GLANCE_SECONDS)) < DAY_SECONDS:
        moments.append(at)
    return tuple(moments)


def _lognormal(rng: random.Random, median: float, sigma: float) -> float:
    return median * rng.lognormvariate(0.0, sigma)
