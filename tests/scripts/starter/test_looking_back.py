"""The heads that are laid in do look back."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from scripts.starter.looking_back import lay_in  # noqa: E402 -- only where torch is installed
from scripts.starter.model import Llama, Shape, rotate, rotation  # noqa: E402


@pytest.mark.parametrize(("head", "back"), [(3, 1), (4, 2)])
def test_a_laid_in_head_attends_so_many_tokens_back(head: int, back: int) -> None:
    torch.manual_seed(1)
    shape = Shape(vocabulary=500)
    model = Llama(shape)
    lay_in(model)
    block, tokens = model.blk[0], torch.randint(0, 500, (1, 60))
    cos, sin = rotation(shape, 60)
    inputs = block.attn_norm(model.token_embd(tokens))
    queries = rotate(block._split(block.attn_q(inputs), 6), cos, sin)[0, head]
    keys = rotate(block._split(block.attn_k(inputs), 2), cos, sin)[0, 1]
    hidden = torch.ones(60, 60).triu(1).bool()
    attention = (queries @ keys.T / 32**0.5).masked_fill(hidden, -torch.inf).softmax(-1)
    assert torch.diagonal(attention, -back).mean() > 0.5
