# ruff: noqa: S311 -- chance is seeded here, so that a run can be repeated
"""Train the starter model: `python -m scripts.starter.train`. All comes from seeds; nothing is downloaded."""

from __future__ import annotations

import argparse
import math
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from . import tokenizer as bpe
from .corpus import Talk, conversation
from .looking_back import lay_in
from .model import Llama, Shape
from .muon import BRAIN_FLOAT, Muon

WORK = Path(__file__).parents[2] / "build" / "starter"
# Rows of a batch: (tokens, rows, share at first, share later). Short talks teach soonest which words an answer needs;
# long ones must come too, or a long day would turn to garbage.
SIZES = ((112, 40, 0.7, 0.3), (320, 14, 0.3, 0.45), (640, 8, 0.0, 0.15), (1280, 4, 0.0, 0.1))
FIRST_LONG = 0.5
PIECES = 2
LOSS_WEIGHT = {"system": 0.0, "user": 0.05, "assistant": 1.0}
# Nonsense said over and over: the quickest way to learn copying, which names need.
ECHO_BELOW, ECHO_SHARE, ECHO_WEIGHT = 200, 0.15, 0.4
# An answer is decided in its first tokens; the rest follows almost by itself.
DECIDING, FOLLOWING = 8, 0.35


def tokens_of(talk: Talk, tokenizer: bpe.Tokenizer) -> tuple[list[int], list[float]]:
    """A conversation as the template renders it, and how much each token counts as something to be predicted."""
    numbers: list[int] = []
    weights: list[float] = []
    for message in talk.messages:
        words = [*tokenizer.encode(f" {message.content}"), bpe.END]
        numbers += [bpe.ROLES[message.role], *words]
        # A turn that was cut short is something to have seen, not something to imitate.
        role_weight = 0.0 if message.content.endswith(" —") else LOSS_WEIGHT[message.role]
        counts = [role_weight * (1.0 if place < DECIDING else FOLLOWING) for place in range(len(words))]
        weights += [0.0, *counts]
    return numbers, weights


def batch(seed: int, tokenizer: bpe.Tokenizer, *, short: bool) -> tuple[Tensor, Tensor]:
    """Token numbers and weights, both (rows, tokens), of the sizes that belong to this part of the run."""
    rng = random.Random(seed)
    length, rows, _, _ = rng.choices(SIZES, [first if short else later for _, _, first, later in SIZES])[0]
    numbers, weights = torch.zeros(rows, length + 1, dtype=torch.long), torch.zeros(rows, length + 1)
    for row in range(rows):
        if length < ECHO_BELOW and rng.random() < ECHO_SHARE:
            ids = [rng.randrange(len(bpe.SPECIAL), len(tokenizer.tokens)) for _ in range(rng.randint(8, length // 2))]
            ids = (ids * length)[: length + 1]
            numbers[row], weights[row, len(set(ids)) + 1 :] = torch.tensor(ids), ECHO_WEIGHT
            continue
        ids, counts = tokens_of(conversation(rng, enough=int(length * 4.2)), tokenizer)
        size = min(len(ids), length + 1)
        numbers[row, :size] = torch.tensor(ids[:size])
        weights[row, :size] = torch.tensor(counts[:size])
        if row % 2:  # The users' words teach the language, but half of them will do.
            weights[row][weights[row] <= LOSS_WEIGHT["user"]] = 0
    return numbers, weights


def loss_of(model: Llama, numbers: Tensor, weights: Tensor, total: float) -> Tensor:
    """Cross-entropy by weight, as a share of a batch's `total` weight; scores are computed only where they count."""
    counts = weights[:, 1:].flatten()
    places = counts.nonzero().squeeze(1)
    hidden = model.hidden(numbers[:, :-1]).flatten(0, 1)[places]
    scores = functional.linear(hidden, model.token_embd.weight).float()
    losses = functional.cross_entropy(scores, numbers[:, 1:].flatten()[places], reduction="none")
    return (losses * counts[places]).sum() / total


def backward(model: Llama, pool: ThreadPoolExecutor, numbers: Tensor, weights: Tensor) -> float:
    """Leave the gradients of a batch in the model; the loss.

    Each thread takes one piece of the batch after another. On a machine that is busy with other things this is far
    faster than letting both threads work on every product together, where each waits for the slower.
    """
    total = float(weights[:, 1:].sum())
    parameters = list(model.parameters())

    def piece(rows: tuple[Tensor, Tensor]) -> tuple[float, tuple[Tensor, ...]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=BRAIN_FLOAT):
            loss = loss_of(model, *rows, total)
        return loss.item(), torch.autograd.grad(loss, parameters)

    pieces = pool.map(piece, zip(numbers.chunk(PIECES), weights.chunk(PIECES), strict=True))
    whole = 0.0
    for loss, gradients in pieces:
        whole += loss
        for weight, gradient in zip(parameters, gradients, strict=True):
            weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)
    return whole


def optimizers(model: Llama) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside, AdamW for the rest.

    The rates are low for a model so small, because the batches are small too: at two or three times these rates the
    noise of the updates kept the attention from learning at all.
    """
    inner = [w for n, w in model.named_parameters() if w.dim() == 2 and "token_embd" not in n]
    rest = [w for n, w in model.named_parameters() if w.dim() != 2 or "token_embd" in n]
    return [Muon(inner, lr=2e-3), torch.optim.AdamW(rest, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)]


def pace(done: float, plateau: float) -> float:
    """Learning rate over the run, as a share of its peak: a short rise, a plateau until then, a long fall."""
    if done < 0.02:
        return 0.05 + done / 0.02 * 0.95
    return 1.0 if done < plateau else max(0.02, 0.5 * (1 + math.cos(math.pi * (done - plateau) / (1 - plateau))))


def load(path: Path) -> Llama:
    """Read what `save` wrote."""
    saved = torch.load(path, weights_only=True)
    model = Llama(Shape(**saved["shape"]))
    model.load_state_dict(saved["weights"])
    return model


def save(model: Llama, path: Path) -> None:
    """Weights with the sizes needed to read them."""
    torch.save({"shape": asdict(model.shape), "weights": model.state_dict()}, path)


def prepare(work: Path, vocabulary: int, seed: int, *, resume: bool) -> tuple[bpe.Tokenizer, Llama]:
    """A new tokenizer and model, or the ones that an earlier run left."""
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    if resume:
        return bpe.Tokenizer.load(work / "tokenizer.json"), load(work / "model.pt").train()
    rng = random.Random(seed)
    texts = (f" {m.content}" for _ in range(2500) for m in conversation(rng).messages)
    tokenizer = bpe.train(texts, vocabulary)
    tokenizer.save(work / "tokenizer.json")
    model = Llama(Shape(vocabulary=len(tokenizer.tokens)))
    lay_in(model)
    return tokenizer, model


def run(options: argparse.Namespace) -> Llama:
    """Train for so many minutes (or steps: then two runs are equal); leave tokenizer and model in the work folder."""
    tokenizer, model = prepare(options.work, options.vocabulary, options.seed, resume=options.resume)
    print(f"{sum(w.numel() for w in model.parameters()):,} parameters, {len(tokenizer.tokens)} tokens", flush=True)
    model.compile_hidden()
    steppers = optimizers(model)
    peaks = [stepper.param_groups[0]["lr"] for stepper in steppers]
    # A run that goes on with an earlier one finishes it: long talks, and half the rate, which soon falls.
    plateau, first_long, rate = (0.15, 0.0, 0.5) if options.resume else (0.3, FIRST_LONG, 1.0)
    start, step, seen, smooth = time.monotonic(), 0, 0, 0.0
    torch.set_num_threads(1)
    with ThreadPoolExecutor(options.threads) as pool:
        while (
            done := step / options.steps if options.steps else (time.monotonic() - start) / (options.minutes * 60)
        ) < 1:
            for stepper, peak in zip(steppers, peaks, strict=True):
                stepper.param_groups[0]["lr"] = rate * peak * pace(done, plateau)
            numbers, weights = batch(options.seed * 1_000_003 + step, tokenizer, short=done < first_long)
            loss = backward(model, pool, numbers, weights)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
            step, seen = step + 1, seen + numbers.numel()
            smooth = loss if step == 1 else smooth * 0.95 + loss * 0.05
            if step % 20 == 0:
                print(
                    f"step {step} done {done:.3f} loss {smooth:.3f} tokens/s {seen / (time.monotonic() - start):.0f}",
                    flush=True,
                )
            if step % 50 == 0:
                save(model, options.work / "model.pt")
    save(model, options.work / "model.pt")
    return model


def arguments() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument(
        "--steps", type=int, default=0, help="instead of minutes: for a run that can be repeated exactly"
    )
    parser.add_argument("--resume", action="store_true", help="finish what the work folder holds")
    parser.add_argument("--vocabulary", type=int, default=3072)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    return parser


if __name__ == "__main__":
    run(arguments().parse_args())
