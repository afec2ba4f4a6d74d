"""Write a llama that computes like a large model and recites a text: the real file format and the real engine.

Each word of the text is a token of its own, and the output matrix turns a token into the one that follows it. The
layers between do all their arithmetic, but what they find is multiplied by zero: they take time and change nothing.
So a reply is known before it is made, it can be begun anywhere, and each of its words takes as long as a file of that
size takes to be read from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import gguf
import numpy as np

from scripts.make_tiny_gguf import END, PAD, SPECIAL, TEMPLATE, byte_signs, byte_token

_WIDTH, _INNER, _HEADS, _CONTEXT = 1024, 4096, 16, 1024
_LEAD: Final = 30.0
"""By how much the next word is likelier than any other."""
_MATRICES: Final = {"attn_q": _WIDTH, "attn_k": _WIDTH, "attn_v": _WIDTH, "ffn_gate": _INNER, "ffn_up": _INNER}
"""Of each layer, those that are not zero, with their rows."""
_LAYER_BYTES: Final = 2 * _WIDTH * (4 * _WIDTH + 3 * _INNER)


def write(path: Path, text: str, *, mib: int) -> Path:
    """A model of about so many MiB that answers anything with `text`, in which no word comes twice."""
    words = _words(text)
    layers = max(1, round(mib * 1024 * 1024 / _LAYER_BYTES))
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, layers)
    _add_tokenizer(writer, words)
    for name, tensor in _weights(len(words), layers):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _words(text: str) -> list[str]:
    """The tokens of the text: a word with the space before it."""
    first, *others = text.split(" ")
    words = [first, *(f" {word}" for word in others)]
    if len(set(words)) < len(words):
        raise ValueError("a word comes twice, so that it does not tell which one follows")
    return words


def _describe(writer: gguf.GGUFWriter, layers: int) -> None:
    writer.add_name("reciter")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _add_tokenizer(writer: gguf.GGUFWriter, words: list[str]) -> None:
    kinds = gguf.TokenType
    bytes_ = byte_signs()
    writer.add_vocab_size(len(SPECIAL) + len(bytes_) + len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*SPECIAL, *bytes_, *words])
    writer.add_token_types(
        [kinds.CONTROL] * len(SPECIAL) + [kinds.NORMAL] * len(bytes_) + [kinds.USER_DEFINED] * len(words)
    )
    writer.add_token_merges(["h e"])  # a tokenizer without any is refused
    writer.add_bos_token_id(END)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(TEMPLATE)


def _weights(words: int, layers: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(0)
    first = len(SPECIAL) + len(byte_signs())
    embedding = random.choice([-1.0, 1.0], (first + words, _WIDTH))
    output = np.zeros_like(embedding)
    for token, following in pairwise([byte_token(ord("\n")), *range(first, first + words), END]):
        output[following] = embedding[token] * _LEAD / _WIDTH
    ones = np.ones(_WIDTH, np.float32)
    yield "token_embd.weight", embedding.astype(np.float16)
    yield "output.weight", output.astype(np.float16)
    yield "output_norm.weight", ones
    busy = {
        name: (random.standard_normal((rows, _WIDTH)) / np.sqrt(_WIDTH)).astype(np.float16)
        for name, rows in _MATRICES.items()
    }
    idle = {"attn_output": np.zeros((_WIDTH, _WIDTH), np.float16), "ffn_down": np.zeros((_WIDTH, _INNER), np.float16)}
    for layer in range(layers):
        for name, tensor in {"attn_norm": ones, "ffn_norm": ones, **busy, **idle}.items():
            yield f"blk.{layer}.{name}.weight", tensor
