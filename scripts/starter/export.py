"""Write the trained model as a GGUF file that llama.cpp runs like any other llama."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import gguf

from . import tokenizer as bpe
from .train import load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .model import Llama, Shape

ROOT = Path(__file__).parents[2]
Q8 = gguf.GGMLQuantizationType.Q8_0


def write(model: Llama, tokenizer: bpe.Tokenizer, path: Path) -> None:
    """One file: weights, tokenizer and chat template. Matrices are stored as q8_0, norms as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, model.shape)
    _tokenizer(writer, tokenizer)
    for name, weight in model.state_dict().items():
        array: NDArray[np.float32] = weight.float().numpy()
        if "attn_q" in name or "attn_k" in name:
            array = _interleaved(array, model.shape.width // model.shape.heads)
        if array.ndim == 2 and array.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(array, Q8), raw_dtype=Q8)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _interleaved(array: NDArray[np.float32], head: int) -> NDArray[np.float32]:
    """Rows of each head from (first halves, second halves) to pairs side by side, as llama.cpp turns them."""
    return array.reshape(-1, 2, head // 2, array.shape[1]).swapaxes(1, 2).reshape(array.shape)


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("Parley starter")
    writer.add_description("A very small llama for small talk, trained from scratch on generated conversations.")
    writer.add_license("MIT")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _tokenizer(writer: gguf.GGUFWriter, tokenizer: bpe.Tokenizer) -> None:
    special = len(bpe.SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.tokens)
    kinds = [
        gguf.TokenType.CONTROL if number < special else gguf.TokenType.NORMAL for number in range(len(tokenizer.tokens))
    ]
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{left} {right}" for left, right in tokenizer.merges])
    # The start token is never used, but llama.cpp takes number 11 for it when none is named.
    writer.add_bos_token_id(bpe.END)
    writer.add_eos_token_id(bpe.END)
    writer.add_eot_token_id(bpe.END)
    writer.add_pad_token_id(bpe.PAD)
    writer.add_add_bos_token(value=False)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(bpe.TEMPLATE)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "starter")
    parser.add_argument("--to", type=Path, default=ROOT / "agent" / "starter" / "starter.gguf")
    options = parser.parse_args()
    write(load(options.work / "model.pt"), bpe.Tokenizer.load(options.work / "tokenizer.json"), options.to)
    print(f"{options.to}: {options.to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
