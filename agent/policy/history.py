"""What was said, and what of it the model is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str
