"""A llama in little.

The embeddings are tied. The rotary pairs lie half a head apart, which is faster here than llama.cpp's order; the export
puts them right.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    vocabulary: int = 3072
    width: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 2
    inner: int = 512
    context: int = 2048
    rope_base: float = 10_000.0
    epsilon: float = 1e-5


class Norm(nn.Module):
    """RMSNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Scale to unit size."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def rotation(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (length, head width / 2)."""
    half = shape.width // shape.heads // 2
    rates = shape.rope_base ** (-torch.arange(half) / half)
    angles = torch.outer(torch.arange(length), rates)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + half) of each head; x is (batch, heads, length, head width)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Block(nn.Module):
    """Attention, then a gated feed-forward layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads = shape.heads, shape.kv_heads
        head = shape.width // shape.heads
        self.attn_norm, self.ffn_norm = Norm(shape), Norm(shape)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, head * shape.kv_heads, bias=False)
        self.attn_v = nn.Linear(shape.width, head * shape.kv_heads, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.inner, bias=False)
        self.ffn_down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(batch, length, width) in and out."""
        h = self.attn_norm(x)
        q, k, v = (
            self._split(layer(h), n)
            for layer, n in ((self.attn_q, self.heads), (self.attn_k, self.kv_heads), (self.attn_v, self.kv_heads))
        )
        # Attention stays in float32 where the rest is bfloat16: its gradient in bfloat16 takes seven times as long.
        q, k, v = rotate(q.float(), cos, sin), rotate(k.float(), cos, sin), v.float()
        groups = self.heads // self.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        with torch.autocast("cpu", enabled=False):
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(mixed.transpose(1, 2).flatten(2))
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))

    @staticmethod
    def _split(x: Tensor, heads: int) -> Tensor:
        return x.unflatten(2, (heads, -1)).transpose(1, 2)


class Llama(nn.Module):
    """The whole: token numbers (batch, length) in, scores (batch, length, vocabulary) out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                onto_the_stream = "output" in name or "down" in name
                nn.init.normal_(weight, std=0.02 / (2 * shape.layers) ** 0.5 if onto_the_stream else 0.02)
        # A part in common gives the attention something constant to hold on to; see `looking_back`.
        nn.init.normal_(self.token_embd.weight, mean=0.02, std=0.02)

    def hidden(self, tokens: Tensor) -> Tensor:
        """What the last layer knows at each place: (batch, length, width)."""
        x = self.token_embd(tokens)
        cos, sin = rotation(self.shape, tokens.shape[1])
        for block in self.blk:
            x = block(x, cos, sin)
        return self.output_norm(x)

    def compile_hidden(self) -> None:
        """Fuse the small operations: a fifth faster, once each length of batch has been seen."""
        self.hidden = torch.compile(self.hidden, dynamic=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores of the next token at each place."""
        return functional.linear(self.hidden(tokens), self.token_embd.weight)
