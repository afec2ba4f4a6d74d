"""What each engine is asked, up to its first result."""

from __future__ import annotations

from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any, Final

import soundfile

from agent import personality as personalities
from agent.engines.api import SAMPLE_RATE, Piece, Speak
from agent.errors import EngineFailed
from agent.policy.history import Message
from agent.settings import UserSettings
from agent.workers.models import MindWorker, ModelWorker, SttWorker, VoiceWorker

_SOUNDFILE: Final[Any] = soundfile  # it has no types
_ROOT: Final = Path(__file__).resolve().parents[2]
_QUESTION: Final = "What is the best way to make tea?"
_SENTENCE: Final = "Warm the pot first, and let the leaves have four minutes."
_RECORDING: Final = _ROOT / "agent" / "demo" / "user.flac"
_HEARD_SECONDS: Final = 4.0

FIRST_RESULT: Final = {"mind": "first token", "stt": f"words of {_HEARD_SECONDS:g} s of sound", "voice": "first sound"}


async def ask(model: ModelWorker) -> None:
    """Return at the first token or sound, or with the words of a recording. Raises EngineError, also if none came."""
    match model:
        case MindWorker():
            async with aclosing(model.reply(_messages())) as results:
                async for result in results:
                    if isinstance(result, Piece):
                        return
            raise EngineFailed("The mind answered with nothing.")
        case VoiceWorker():
            async with aclosing(model.speak(Speak(text=_SENTENCE))) as sounds:
                async for _samples in sounds:
                    return
            raise EngineFailed("The voice gave no sound.")
        case SttWorker():
            await model.transcribe(1, _recording())
        case _:
            raise TypeError(f"nothing to ask a {type(model).__name__}")


@cache
def _messages() -> tuple[Message, ...]:
    personality = personalities.load("parley", [_ROOT / "prompts"])
    prompt = personality.system_prompt("morning", UserSettings())
    return Message("system", prompt), Message("user", _QUESTION)


@cache
def _recording() -> bytes:
    samples, _rate = _SOUNDFILE.read(_RECORDING, frames=int(_HEARD_SECONDS * SAMPLE_RATE), dtype="int16")
    return samples.tobytes()
