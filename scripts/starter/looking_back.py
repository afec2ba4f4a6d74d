"""Lay two heads into the first layer that look one and two tokens back.

Copying a name takes a head that finds where the last token stood before, and such a head can only grow once another
tells each place what came before it (Olsson et al., 2022, "In-context learning and induction heads"). Training finds
the latter by itself, but on two cores it took longer than all the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .model import Block, Llama

_WEIGHTS = (3.0, 2.0, 1.0, 1.0)
"""For the fastest rotations: they tell neighbours apart."""
_SHARPNESS = 16.0


@torch.no_grad()
def lay_in(model: Llama, strength: float = 0.3) -> None:
    """Overwrite the last group of heads of the first layer; the others stay as they are.

    The embeddings must have a part in common, as `model.Llama` gives them.
    """
    shape, block = model.shape, model.blk[0]
    if not isinstance(block, Block):
        raise TypeError(block)
    head, group = shape.width // shape.heads, shape.heads // shape.kv_heads
    inputs = block.attn_norm(model.token_embd.weight)
    # What all tokens have in common serves as a constant: keys and queries made of it depend on the place alone.
    common = torch.linalg.lstsq(inputs, torch.ones(len(inputs), 1)).solution.squeeze(1)
    first_key = head * (shape.kv_heads - 1)
    block.attn_k.weight[first_key:] = _turned(head, shape.rope_base, 0)[:, None] * common
    spread = inputs - (inputs @ common)[:, None] * inputs.mean(0)
    generator = torch.Generator().manual_seed(7)
    directions = torch.linalg.qr(torch.randn(shape.width, 3 * head, generator=generator)).Q
    block.attn_v.weight[first_key:] = directions[:, :head].T / (spread @ directions[:, :head]).std()
    size = model.token_embd.weight.std() * strength
    for back in (1, 2):
        rows = slice(head * (shape.heads - group + back - 1), head * (shape.heads - group + back))
        block.attn_q.weight[rows] = _turned(head, shape.rope_base, back)[:, None] * common
        block.attn_output.weight[:, rows] = directions[:, head * back : head * (back + 1)] * size


def _turned(head: int, base: float, back: int) -> Tensor:
    """A vector whose product with the key `back` places earlier is greatest."""
    rates = base ** (-torch.arange(head // 2) / (head // 2))
    lengths = torch.zeros(head // 2)
    lengths[: len(_WEIGHTS)] = (_SHARPNESS * torch.tensor(_WEIGHTS)).sqrt()
    return torch.cat((lengths * (rates * back).cos(), -lengths * (rates * back).sin()))
