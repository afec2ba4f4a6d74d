"""Write a tiny Whisper as CTranslate2 has it: the real file format, the real engine, and nothing that listens.

It has the shape of a multilingual Whisper (51865 tokens with their real numbers, 80 mel bands, 1500 positions of
sound), one narrow layer on either side and random weights. What it says is chosen: the decoder's layers add nothing,
each position has a direction of its own, and the output matrix turns that into a lead for one token.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Neither ctranslate2's specs nor tokenizers have types.

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WIDTH, INNER, HEADS, MELS = 64, 128, 2, 80
SOUND_POSITIONS, TEXT_POSITIONS = 1500, 448
WORDS = 50257
"""Tokens before the special ones: 256 bytes, then what the script says, then fillers."""
LANGUAGES = """
    en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr
    bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn
    yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su
""".split()  # noqa: SIM905  # a hundred quotes less
TASKS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", *(f"<|{name}|>" for name in (*LANGUAGES, *TASKS)))
TIMESTAMPS = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1501))
TOKENS = WORDS + len(SPECIAL) + len(TIMESTAMPS)
END = WORDS
SURE = 16.0
"""A lead, as a logit, that leaves no doubt; below 11 the 51864 other tokens weigh more together."""
PROMPT = 4
"""Start, language, task and "no timestamps" come before the first word."""


def token(name: str) -> int:
    """The number of a special token."""
    return WORDS + SPECIAL.index(f"<|{name}|>")


def make_tiny_whisper(
    directory: Path, *, says: str = "hello there", lead: float = SURE, no_speech: bool = False, seed: int = 0
) -> Path:
    """Write config.json, model.bin, tokenizer.json and vocabulary.json.

    `says` is at most 40 words, each of them once. `lead` is by how much the right token leads any other. `no_speech`
    has the model say that it hears no speech.
    """
    directory.mkdir(parents=True, exist_ok=True)
    words = says.split()
    spec: Any = WhisperSpec(1, HEADS, 1, HEADS)
    random = np.random.default_rng(seed)
    _fill_encoder(spec.encoder, random)
    script = [*range(256, 256 + len(words)), END]
    _fill_decoder(spec.decoder, random, script, lead, no_speech=no_speech)
    spec.config.lang_ids = [token(language) for language in LANGUAGES]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [END]
    spec.config.alignment_heads = [(0, 0)]
    vocabulary = _vocabulary(words)
    spec.register_vocabulary([*vocabulary, *SPECIAL, *TIMESTAMPS])
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(directory))
    _write_tokenizer(vocabulary, directory / "tokenizer.json")
    preprocessing = {"feature_size": MELS, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (directory / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return directory


def _vocabulary(words: Sequence[str]) -> list[str]:
    """Byte tokens, a token for each word of the script (with its blank before it), fillers, and last the empty word.

    The empty word is what tells a multilingual model from an English one.
    """
    script = [f"Ġ{word}" for word in dict.fromkeys(words)]
    if len(script) < len(words):
        raise ValueError("each word of the script can be said once")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    fillers = [f"Ġfiller{number}" for number in range(WORDS - len(letters) - len(script) - 1)]
    return [*letters, *script, *fillers, ""]


def _write_tokenizer(vocabulary: Sequence[str], path: Path) -> None:
    tokenizer: Any = Tokenizer(models.BPE({word: number for number, word in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(name) for name in TIMESTAMPS])
    tokenizer.save(str(path))


def _fill_encoder(encoder: Any, random: np.random.Generator) -> None:
    _fill_linear(encoder.conv1, random, WIDTH, MELS, 3)
    _fill_linear(encoder.conv2, random, WIDTH, WIDTH, 3)
    encoder.position_encodings.encodings = _random(random, SOUND_POSITIONS, WIDTH)
    _fill_norm(encoder.layer_norm)
    for layer in encoder.layer:
        _fill_attention(layer.self_attention, random, (3 * WIDTH, WIDTH))
        _fill_ffn(layer.ffn, random)


def _fill_decoder(
    decoder: Any, random: np.random.Generator, script: Sequence[int], lead: float, *, no_speech: bool
) -> None:
    decoder.embeddings.weight = np.zeros((TOKENS, WIDTH), np.float32)
    positions = np.zeros((TEXT_POSITIONS, WIDTH), np.float32)
    last = PROMPT - 1 + len(script) - 1  # where the script ends, and all positions after it
    positions[np.arange(TEXT_POSITIONS), np.minimum(np.arange(TEXT_POSITIONS), last)] = 1.0
    decoder.position_encodings.encodings = positions
    _fill_norm(decoder.layer_norm)
    for layer in decoder.layer:
        _fill_attention(layer.self_attention, random, (3 * WIDTH, WIDTH), silent=True)
        _fill_attention(layer.attention, random, (WIDTH, 2 * WIDTH, WIDTH), silent=True)
        _fill_ffn(layer.ffn, random, silent=True)
    output = _random(random, TOKENS, WIDTH) * 0.01
    step = lead / np.sqrt(WIDTH)  # a direction of length 1 leaves the layer norm with about this factor
    for place, said in enumerate(script):
        output[said, PROMPT - 1 + place] = step
    if no_speech:
        output[token("nospeech"), 0] = SURE / np.sqrt(WIDTH)
    decoder.projection.weight = output


def _fill_attention(
    attention: Any, random: np.random.Generator, rows: tuple[int, ...], *, silent: bool = False
) -> None:
    _fill_norm(attention.layer_norm)
    for linear, count in zip(attention.linear, rows, strict=True):
        _fill_linear(linear, random, count, WIDTH)
    if silent:
        _silence(attention.linear[-1])


def _fill_ffn(ffn: Any, random: np.random.Generator, *, silent: bool = False) -> None:
    _fill_norm(ffn.layer_norm)
    _fill_linear(ffn.linear_0, random, INNER, WIDTH)
    _fill_linear(ffn.linear_1, random, WIDTH, INNER)
    if silent:
        _silence(ffn.linear_1)


def _fill_linear(linear: Any, random: np.random.Generator, *shape: int) -> None:
    linear.weight = _random(random, *shape)
    linear.bias = np.zeros(shape[0], np.float32)


def _fill_norm(norm: Any) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _silence(linear: Any) -> None:
    linear.weight = np.zeros_like(linear.weight)


def _random(random: np.random.Generator, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return random.normal(0.0, 0.1, shape).astype(np.float32)


def main() -> None:
    """Write one from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--says", default="hello there")
    arguments = parser.parse_args()
    directory = make_tiny_whisper(arguments.directory, says=arguments.says)
    for path in sorted(directory.iterdir()):
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
