"""Muon (Keller Jordan, 2024): momentum whose update is made orthogonal."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

BRAIN_FLOAT: bool = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 -- there is no public way to ask
"""Whether this processor multiplies bfloat16 faster than float32; elsewhere it is far slower."""


def orthogonal(stack: Tensor) -> Tensor:
    """Push the singular values of each matrix (n, rows <= columns) towards one: five Newton-Schulz steps."""
    x = (stack / (stack.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(torch.bfloat16 if BRAIN_FLOAT else stack.dtype)
    for _ in range(5):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.to(stack.dtype)


class Muon(torch.optim.Optimizer):
    """Matrices of one shape are taken together, which saves most of the time on small models."""

    def __init__(
        self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update, about the size that AdamW's would have: hence 0.2 times the root of the larger side."""
        for group in self.param_groups:
            by_shape: defaultdict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                by_shape[weight.shape].append(weight)
            for shape, weights in by_shape.items():
                ahead = torch.stack([self._momentum(weight, group["momentum"]) for weight in weights])
                wide = shape[0] <= shape[1]
                update = orthogonal(ahead if wide else ahead.mT)
                update = update if wide else update.mT
                for weight, change in zip(weights, update, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(
                        change, alpha=-0.2 * group["lr"] * max(shape) ** 0.5
                    )

    def _momentum(self, weight: Tensor, momentum: float) -> Tensor:
        grad = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        buffer = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        buffer.lerp_(grad, 1 - momentum)
        return grad.lerp(buffer, momentum)
