"""Where the routines live: they are put together here, over whatever organs they are given."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from agent.bus import Bus
from agent.character import Character
from agent.clock import Clock
from agent.engines.api import Ear, Mind, Speak, SpeechToText, Voice
from agent.events import Turn
from agent.personality import Personality, time_of_day
from agent.policy.daytime import QuietHours
from agent.policy.gating import Gate
from agent.policy.prompting import PromptingPolicy
from agent.policy.turn_taking import Waits
from agent.settings import Settings
from agent.sound.api import Loudspeaker, Microphone
from agent.supervisor import Supervisor
from agent.vram import Vram
from routines.listening import Listening
from routines.prompter import Prompter
from routines.speaking import Speaking
from routines.thinking import Thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class Organs:
    """Everything with an engine or a device in it: workers in life, scripted ones in tests."""

    microphone: Microphone
    loudspeaker: Loudspeaker
    ear: Ear
    stt: SpeechToText
    mind: Mind
    voice: Voice


class House:
    """Makes routines, fresh ones after a crash; what must outlive a crash is kept here."""

    def __init__(
        self, settings: Settings, personality: Personality, organs: Organs, bus: Bus, clock: Clock, vram: Vram
    ) -> None:
        """Nothing runs yet."""
        self._settings = settings
        self.character = Character(personality, bus, clock)
        self._organs = organs
        self._bus = bus
        self._clock = clock
        self._vram = vram
        self._turns = (Turn(number) for number in itertools.count(1))
        # Inboxes outlive their readers: what is published while a routine is restarted waits for the fresh one.
        self._to_prompter = bus.inbox(*Prompter.LISTENS_TO)
        self._to_listening = bus.inbox(*Listening.LISTENS_TO)
        self._to_thinking = bus.inbox(*Thinking.LISTENS_TO)
        self._to_speaking = bus.inbox(*Speaking.LISTENS_TO)
        self._prompter: Prompter | None = None
        self._thinking: Thinking | None = None
        self._listening: Listening | None = None

    def furnish(self, supervisor: Supervisor) -> None:
        """Give the routines to the supervisor, in the order in which they are needed."""
        supervisor.add("speaking", self._speaking)
        supervisor.add("thinking", self._new_thinking)
        supervisor.add("prompter", self._new_prompter)
        supervisor.add("listening", self._new_listening)

    def _new_prompter(self) -> Prompter:
        situation = self._prompter.situation if self._prompter else None
        self._prompter = Prompter(
            self._bus, self._to_prompter, self._clock, self._policy, self._turns, situation=situation
        )
        return self._prompter

    def _new_listening(self) -> Listening:
        ear = self._settings.ear
        self._listening = Listening(
            self._bus,
            self._to_listening,
            self._clock,
            self._vram,
            self._organs.microphone,
            self._organs.ear,
            self._organs.stt,
            gate=Gate(min_voiced_seconds=ear.min_voiced_seconds, min_confidence=ear.min_confidence),
            muted=self._listening.muted if self._listening else False,
        )
        return self._listening

    def _new_thinking(self) -> Thinking:
        self._thinking = Thinking(
            self._bus,
            self._to_thinking,
            self._clock,
            self._vram,
            self._organs.mind,
            self._system_prompt,
            history=self._thinking.history if self._thinking else None,
        )
        return self._thinking

    def _speaking(self) -> Speaking:
        return Speaking(
            self._bus,
            self._to_speaking,
            self._clock,
            self._vram,
            self._organs.voice,
            self._organs.loudspeaker,
            self._manner,
        )

    # What the personality decides. The prompter comes first in every turn, so it alone looks at the file.

    def _policy(self) -> tuple[PromptingPolicy, str]:
        personality = self.character.refresh()
        return prompting_policy(self._settings, personality), personality.digest

    def _system_prompt(self) -> str:
        return self.character.current.system_prompt(time_of_day(self._clock.wall()), self._settings.user)

    def _manner(self) -> Speak:
        return Speak(text="", voice=self.character.current.voice, speed=self.character.current.speed)


def prompting_policy(settings: Settings, personality: Personality) -> PromptingPolicy:
    """The Prompter's numbers, from the settings and, where they are silent, the personality."""
    turns, initiative = settings.turns, settings.initiative
    return PromptingPolicy(
        waits=Waits(
            finished_seconds=turns.finished_seconds,
            unclear_seconds=turns.unclear_seconds,
            unfinished_seconds=turns.unfinished_seconds,
            longest_seconds=turns.longest_seconds,
        ),
        language=settings.stt.language,
        transcribing_seconds=settings.stt.deadline_seconds + settings.vram.lease_seconds,
        initiative=initiative.enabled,
        patience_seconds=initiative.patience_seconds or personality.patience_seconds,
        chattiness=personality.chattiness,
        presence_seconds=initiative.presence_seconds,
        remarks_per_hour=initiative.remarks_per_hour,
        unanswered_limit=initiative.unanswered_limit,
        quiet_hours=QuietHours.parse(initiative.quiet_hours),
    )
