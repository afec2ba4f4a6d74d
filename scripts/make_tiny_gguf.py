"""Write a tiny llama of random weights as GGUF: the real file format and the real engine, without a mind in it.

It has a byte vocabulary with a few merges, end-of-turn tokens and a chat template. Which tokens it can say is chosen:
the first number of its inner state is always 1, and the output matrix turns that into a lead that no other token has.
"""

from __future__ import annotations

import argparse
import string
from collections.abc import Iterable
from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, HEADS, LAYERS, CONTEXT = 64, 128, 4, 2, 1024
SPECIAL = ("<|pad|>", "<|turn|>", "<|end|>")
PAD, TURN, END = range(3)
MERGES = ("h e", "he l", "Ġ t", "Ġt he", "l l")
TEMPLATE = (
    "{% for message in messages %}{{ '<|turn|>' + message['role'] + '\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|turn|>assistant\\n' }}{% endif %}"
)


def byte_signs() -> list[str]:
    """GPT-2's printable stand-in for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def vocabulary() -> list[str]:
    """All tokens; a token's number is its place."""
    return [*SPECIAL, *byte_signs(), *(merge.replace(" ", "") for merge in MERGES)]


def byte_token(byte: int) -> int:
    """The number of the token that is this one byte."""
    return len(SPECIAL) + byte


def letters() -> list[int]:
    """What it says unless told otherwise: lower-case letters and the space."""
    return [byte_token(ord(letter)) for letter in string.ascii_lowercase + " "]


def make_tiny_gguf(
    path: Path, *, says: Iterable[int] | None = None, template: str | None = TEMPLATE, seed: int = 0
) -> Path:
    """Write the model to `path`; `says` are the tokens that it can say, `template=None` leaves the template out."""
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer)
    _add_tokenizer(writer, template)
    for name, tensor in _weights(seed, list(says if says is not None else letters())).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary()))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _add_tokenizer(writer: gguf.GGUFWriter, template: str | None) -> None:
    tokens = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if token in SPECIAL else kinds.NORMAL for token in tokens])
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(END)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(value=False)
    if template is not None:
        writer.add_chat_template(template)


def _weights(seed: int, says: list[int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float16)

    def keeps_the_first(rows: int, columns: int) -> np.ndarray:
        rest = matrix(rows, columns)
        rest[0] = 0
        return rest

    embedding, output = matrix(len(vocabulary()), WIDTH), np.zeros((len(vocabulary()), WIDTH), np.float16)
    embedding[:, 0] = 1
    output[says] = matrix(len(says), WIDTH)
    output[says, 0] = 20
    ones = np.ones(WIDTH, np.float32)
    weights = {"token_embd.weight": embedding, "output.weight": output, "output_norm.weight": ones}
    for layer in range(LAYERS):
        weights |= {f"blk.{layer}.{name}.weight": ones for name in ("attn_norm", "ffn_norm")}
        weights |= {f"blk.{layer}.attn_{name}.weight": matrix(WIDTH, WIDTH) for name in ("q", "k", "v")}
        weights[f"blk.{layer}.attn_output.weight"] = keeps_the_first(WIDTH, WIDTH)
        weights |= {f"blk.{layer}.ffn_{name}.weight": matrix(INNER, WIDTH) for name in ("gate", "up")}
        weights[f"blk.{layer}.ffn_down.weight"] = keeps_the_first(WIDTH, INNER)
    return weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path = make_tiny_gguf(parser.parse_args().path)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
