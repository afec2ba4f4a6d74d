"""Write a tiny XTTS: the real files, for the real loader and the real streaming. What it says is noise.

It has the shape of an XTTS v2 (a GPT over text and sound tokens with a perceiver, a HiFi-GAN decoder, a speaker
encoder, a vocabulary, speakers) with a narrow GPT of two layers and random weights. The width of the decoder and of the
speaker encoder is fixed in coqui-tts, so the decoder's 14 million parameters stay, and take nearly all of the time.

Each portion of a text, however long, becomes `sound_tokens` tokens, since the end is never chosen. To make them cheap,
each is a quarter as long as XTTS's: 11.6 ms. With 30 layers and a width of 1024 it is nearly as large as XTTS v2.

Runs in the environment that `./scripts/setup coqui` makes.
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# coqui-tts is not installed beside the type checker.

from __future__ import annotations

import argparse
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
from TTS.tts.models.xtts import Xtts

LAYERS, WIDTH, SOUND_TOKENS = 2, 64, 45
HEAD_WIDTH = 64
"""As wide as each attention head of XTTS."""
CODES = 64
"""Kinds of sound tokens; XTTS has 1024."""
NEVER = -100.0
"""A logit that is never drawn."""
SPEAKER_WIDTH = 16
PROMPT_LATENTS = 32
"""What the perceiver makes of a speaker, as in XTTS."""
SPEAKERS = ("Noise", "Other Noise")
LANGUAGES = ("en", "de", "zh-cn")
SPECIAL = ("[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{language}]" for language in LANGUAGES))
TOKEN_SAMPLES = 256
"""Samples of sound at 22,050 Hz a token; XTTS's has 1024."""


def make_tiny_xtts(
    directory: Path,
    *,
    layers: int = LAYERS,
    width: int = WIDTH,
    sound_tokens: int = SOUND_TOKENS,
    speakers: Sequence[str] = SPEAKERS,
    seed: int = 0,
) -> Path:
    """Write config.json, model.pth, speakers_xtts.pth and vocab.json. `width` is a multiple of 64."""
    directory.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    vocabulary = _write_vocabulary(directory / "vocab.json")
    config = XttsConfig(model_args=_arguments(vocabulary, layers, width, sound_tokens), languages=list(LANGUAGES))
    config.save_json(str(directory / "config.json"))
    torch.save({"model": _weights(config)}, directory / "model.pth")
    torch.save({name: _speaker(width) for name in speakers}, directory / "speakers_xtts.pth")
    return directory


def _write_vocabulary(path: Path) -> dict[str, int]:
    """One token a character."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *characters))}
    tokenizer: Any = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))  # noqa: S106  # no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(path))
    return vocabulary


def _arguments(vocabulary: dict[str, int], layers: int, width: int, sound_tokens: int) -> Any:
    return XttsArgs(
        gpt_layers=layers,
        gpt_n_model_channels=width,
        gpt_n_heads=width // HEAD_WIDTH,
        gpt_max_audio_tokens=sound_tokens + 3,  # three are set apart for the start, the end and the speaker
        gpt_num_audio_tokens=CODES + 2,
        gpt_start_audio_token=CODES,
        gpt_stop_audio_token=CODES + 1,
        gpt_number_text_tokens=len(vocabulary),
        gpt_start_text_token=vocabulary["[START]"],
        gpt_stop_text_token=vocabulary["[STOP]"],
        gpt_use_perceiver_resampler=True,
        gpt_code_stride_len=TOKEN_SAMPLES,
        decoder_input_dim=width,
        d_vector_dim=SPEAKER_WIDTH,
    )


def _weights(config: Any) -> dict[str, torch.Tensor]:
    """Random, in half precision to keep the file small."""
    weights = Xtts(config).state_dict()
    weights["gpt.mel_head.bias"][CODES + 1] = NEVER
    return {name: weight.half() if weight.is_floating_point() else weight for name, weight in weights.items()}


def _speaker(width: int) -> dict[str, torch.Tensor]:
    return {
        "gpt_cond_latent": torch.randn(1, PROMPT_LATENTS, width),
        "speaker_embedding": torch.randn(1, SPEAKER_WIDTH, 1),
    }


def main() -> None:
    """Write one from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--sound-tokens", type=int, default=SOUND_TOKENS)
    arguments = parser.parse_args()
    directory = make_tiny_xtts(
        arguments.directory, layers=arguments.layers, width=arguments.width, sound_tokens=arguments.sound_tokens
    )
    for path in sorted(directory.iterdir()):
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
