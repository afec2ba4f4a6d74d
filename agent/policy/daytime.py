"""Times of the day."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

MINUTES_A_DAY = 24 * 60


def time_of_day(minute: float) -> str:
    """What people call this minute since midnight: morning, afternoon, evening or night."""
    hour = minute / 60
    if 5 <= hour < 12:
        return "morning"
    if 12 <= hour < 18:
        return "afternoon"
    return "evening" if 18 <= hour < 23 else "night"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A stretch of the day, in minutes since midnight; it may cross midnight."""

    begins: int
    ends: int

    @classmethod
    def parse(cls, text: str) -> QuietHours | None:
        """From `HH:MM-HH:MM`; None from an empty text."""
        if not text:
            return None
        begins, ends = ([int(part) for part in half.split(":")] for half in text.split("-"))
        return cls(begins[0] * 60 + begins[1], ends[0] * 60 + ends[1])

    def seconds_left(self, minute: float) -> float:
        """Seconds until they end; 0 outside of them."""
        length = (self.ends - self.begins) % MINUTES_A_DAY
        since = (minute - self.begins) % MINUTES_A_DAY
        return (length - since) * 60 if since < length else 0.0

    @override
    def __str__(self) -> str:
        """As it was written."""
        return f"{self.begins // 60:02}:{self.begins % 60:02}-{self.ends // 60:02}:{self.ends % 60:02}"
