"""XTTS (coqui-tts) through RealtimeTTS's CoquiEngine, from a directory of this machine.

CoquiEngine brings the settings that stream XTTS well, but it runs the model in a process of its own, which outlives its
parent, is waited for without an end, and keeps to itself why a load failed. Our worker *is* a process that is watched,
killed as a group and whose memory is measured; so the model is loaded into it, in the one method in which CoquiEngine
would start its process. RealtimeTTS's stream stays out too: in it a thread computes ahead, and would go on while the
worker is told to stand still. Here nothing is computed but what the next result needs.

XTTS gives sound in chunks of about a second. It is asked whether to give up (or made to stand still, see
`Engine.handle`) much more often: in front of each layer of its GPT and of its decoder, since on a processor even one
token takes long.

Only workers import this module. The packages do not fit beside the others: `./scripts/setup coqui` makes them an
environment of their own.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from msgspec import Struct
from RealtimeTTS.engines.coqui_engine import CoquiEngine
from typing_extensions import override

from agent.engines.api import Facts, Sound, Speak
from agent.engines.realtime_tts import at_our_rate
from agent.errors import EngineFailed, ModelMissing
from agent.policy.portions import portions

_LOGGER = logging.getLogger(__name__)
_FILES: Final = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
"""CoquiEngine would download what is missing of these."""
_RATE: Final = 24_000
_LONGEST: Final = 250
"""Characters, for a language of which XTTS names no limit."""
_WARM_UP: Final = "Hello."


class InProcessXtts(CoquiEngine):
    """CoquiEngine without its process."""

    def __init__(self, path: Path, language: str, device: str) -> None:
        """Load the model in `path` to `device`."""
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # half of its arguments have no types
            specific_model=path.name, local_models_path=str(path.parent), language=language, device=device
        )
        # It has chosen "spawn", with which the library's events are files in /dev/shm, and a process is started to
        # remove them; who is killed leaves them behind. With "fork" they have no names, and nothing is forked here.
        multiprocessing.set_start_method("fork", force=True)
        self._cancelled: Callable[[], bool] = lambda: False

    @override
    def create_worker_process(self) -> None:
        """Load the model here. Called by the library's metaclass, behind the constructor."""
        config: Any = import_module("TTS.config").load_config(f"{self.model_path}/config.json")
        self._model: Any = import_module("TTS.tts.models").setup_model(config)
        self._model.load_checkpoint(config, checkpoint_dir=self.model_path, eval=True)
        self._model.to(self.device)
        self.speakers: Mapping[str, Mapping[str, Any]] = self._model.speaker_manager.speakers
        self.longest: int = self._model.tokenizer.char_limits.get(self.language.split("-")[0], _LONGEST)
        decoder = self._model.hifigan_decoder.waveform_decoder
        for module in (*self._model.gpt.gpt.h, *decoder.ups, *decoder.resblocks):
            module.register_forward_pre_hook(self._look)

    def chunks(self, text: str, speaker: str, speed: float, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """Mono int16 sound at 24 kHz as XTTS streams it; ends early when cancelled. `text` may be of any length."""
        self._cancelled = cancelled
        voice = self.speakers[speaker]
        try:
            for portion in portions(text, self.longest):
                for chunk in self._stream(portion, voice, speed):
                    yield (chunk.clamp(-1, 1) * 32_767).to(torch.int16).cpu().numpy().tobytes()
        except _Cancelled:
            return

    def _stream(self, portion: str, voice: Mapping[str, Any], speed: float) -> Iterator[torch.Tensor]:
        return self._model.inference_stream(
            portion,
            self.language,
            voice["gpt_cond_latent"],
            voice["speaker_embedding"],
            stream_chunk_size=self.stream_chunk_size,
            overlap_wav_len=self.overlap_wav_len,
            temperature=self.temperature,
            length_penalty=self.length_penalty,
            repetition_penalty=self.repetition_penalty,
            top_k=self.top_k,
            top_p=self.top_p,
            speed=speed,
        )

    def _look(self, _module: object, _inputs: object) -> None:
        if self._cancelled():
            raise _Cancelled


class _Cancelled(Exception):
    """The sentence is not wanted any more."""


class Coqui:
    """The voice engine."""

    requests: ClassVar[Any] = Speak

    def __init__(self, settings: dict[str, Any]) -> None:
        """`model` is a directory, `name` the speaker that overrides the personality's (empty: XTTS's first).

        `speed` is a factor on top of the personality's; `language` a code such as "en"; `device` auto, cpu or cuda;
        `coqui_licence` the user's consent to the licence of the model.
        """
        self._path = Path(str(settings.get("model") or ""))
        self._name = str(settings.get("name") or "")
        self._speed = float(settings.get("speed") or 1.0)
        self._language = str(settings.get("language") or "en")
        self._device = str(settings.get("device") or "auto")
        self._agreed = settings.get("coqui_licence") is True
        self._unknown: set[str] = set()

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # only an ear speaks unasked
        """Load the model and begin a word with it: what it needs at work is allocated now, not in a talk."""
        self._check()
        os.environ["COQUI_TOS_AGREED"] = "1"  # else coqui-tts may ask on stdin
        if self._device == "auto":
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._engine = InProcessXtts(self._path, self._language, self._device)
        self._speaker = self._default_speaker()
        next(self._engine.chunks(_WARM_UP, self._speaker, 1.0, lambda: False))
        return Facts(
            engine=f"RealtimeTTS, XTTS {self._path.name}, speaker {self._speaker}, {self._device}",
            vram_mib=torch.cuda.memory_reserved() // 2**20 if self._device == "cuda" else 0,
            heavy=True,
        )

    def handle(self, request: Speak, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        """Say the sentence; one without any letter or digit is silent."""
        if not any(character.isalnum() for character in request.text):
            return
        speaker = self._speaker_for(request.voice)
        chunks = self._engine.chunks(request.text, speaker, self._speed * request.speed, cancelled)
        for samples in at_our_rate(chunks, _RATE):
            yield Sound(samples)

    def close(self) -> None:
        """The end of the process frees the model."""

    def _check(self) -> None:
        """Raises EngineFailed without consent or packages, ModelMissing without such a model."""
        if not self._agreed:
            raise EngineFailed(
                "XTTS's weights come under the Coqui Public Model License, which allows no commercial use. Read it "
                "(it comes with the model, as LICENSE.txt), and if you agree, set [voice] coqui_licence = true"
            )
        missing = [name for name in _FILES if not (self._path / name).is_file()]
        if missing:
            raise ModelMissing(
                f"{self._path} is no XTTS model: {' and '.join(missing)} missing. Name the directory of one in "
                "[voice] model, or set [voice] engine = 'espeak'"
            )
        languages = json.loads((self._path / "config.json").read_text())["languages"]
        if self._language not in languages:
            known = ", ".join(languages)
            raise ModelMissing(
                f"{self._path} does not speak {self._language!r}; set [voice] language to one of: {known}"
            )
        if importlib.util.find_spec("TTS") is None:
            raise EngineFailed(
                "coqui-tts is not installed for this interpreter: run ./scripts/setup coqui, and set "
                "[voice] python = '.venv-coqui/bin/python'"
            )

    def _default_speaker(self) -> str:
        if not self._name:
            return next(iter(self._engine.speakers))
        if (found := _find(self._name, self._engine.speakers)) is None:
            known = ", ".join(self._engine.speakers)
            raise ModelMissing(f"{self._path} has no speaker {self._name!r}; set [voice] name to one of: {known}")
        return found

    def _speaker_for(self, voice: str) -> str:
        """The personality's if XTTS has it, unless the settings name one."""
        if self._name or not voice:
            return self._speaker
        if (found := _find(voice, self._engine.speakers)) is None:
            if voice not in self._unknown:
                self._unknown.add(voice)
                _LOGGER.warning("XTTS has no speaker named %r; %r speaks instead", voice, self._speaker)
            return self._speaker
        return found


def _find(name: str, speakers: Mapping[str, object]) -> str | None:
    return next((speaker for speaker in speakers if speaker.casefold() == name.casefold()), None)
