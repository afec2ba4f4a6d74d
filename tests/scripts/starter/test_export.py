"""A tiny model, exported: llama.cpp must split text and score tokens as the training does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
llama_cpp = pytest.importorskip("llama_cpp")

from scripts.starter import export  # noqa: E402 -- only where torch and llama.cpp are installed
from scripts.starter import tokenizer as bpe  # noqa: E402
from scripts.starter.corpus import conversation  # noqa: E402
from scripts.starter.model import Llama, Shape  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [message.content for seed in range(20) for message in conversation(random.Random(seed)).messages]
ODD = "aäöß é日本語🙂 \n\t_-—…'\"0123²½ABCxyzñ"


@pytest.fixture(scope="module")
def tokenizer() -> bpe.Tokenizer:
    return bpe.train((f" {text}" for text in TEXTS), 500)


@pytest.fixture(scope="module")
def tiny(tokenizer: bpe.Tokenizer) -> Llama:
    torch.manual_seed(0)
    return Llama(Shape(vocabulary=len(tokenizer.tokens), width=64, layers=2, heads=2, kv_heads=1, inner=64)).eval()


@pytest.fixture(scope="module")
def llm(tokenizer: bpe.Tokenizer, tiny: Llama, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    export.write(tiny, tokenizer, path)
    return llama_cpp.Llama(str(path), n_ctx=256, logits_all=True, verbose=False, n_threads=1)


def test_text_survives_encoding(tokenizer: bpe.Tokenizer) -> None:
    assert all(tokenizer.decode(tokenizer.encode(text)) == text for text in [*TEXTS, ODD])


def test_capitals_do_not_join_what_follows(tokenizer: bpe.Tokenizer) -> None:
    first = tokenizer.encode(" Tom")[0]
    assert tokenizer.decode([first]) == " T"


def test_llama_cpp_splits_text_as_the_training_does(tokenizer: bpe.Tokenizer, llm: Any) -> None:
    rng = random.Random(1)
    odd = ["".join(rng.choice(ODD) for _ in range(20)) for _ in range(200)]
    assert [
        text
        for text in [*TEXTS, *odd]
        if tokenizer.encode(text) != llm.tokenize(text.encode(), add_bos=False, special=False)
    ] == []


def test_llama_cpp_scores_tokens_as_the_training_does(tokenizer: bpe.Tokenizer, tiny: Llama, llm: Any) -> None:
    numbers = tokenizer.encode(TEXTS[0])[:100]
    with torch.no_grad():
        expected = tiny(torch.tensor([numbers]))[0]
    llm.reset()
    llm.eval(numbers)
    scores = torch.tensor(llm.scores[: len(numbers)])
    assert (scores - expected).abs().max() < 0.05


def test_the_chat_template_renders_what_the_training_sees(tokenizer: bpe.Tokenizer, llm: Any) -> None:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template = llm.metadata["tokenizer.chat_template"]
    form = Jinja2ChatFormatter(template=template, eos_token="<|end|>", bos_token="")  # noqa: S106 -- a piece of text, no password
    turns = [{"role": "system", "content": "You are Pip."}, {"role": "user", "content": "hi"}]
    text = form(messages=turns).prompt
    assert text == "<|system|> You are Pip.<|end|><|user|> hi<|end|><|assistant|>"
    expected = [1, *tokenizer.encode(" You are Pip."), bpe.END, 2, *tokenizer.encode(" hi"), bpe.END, 3]
    assert llm.tokenize(text.encode(), add_bos=False, special=True) == expected


def test_the_end_token_ends_a_reply(llm: Any) -> None:
    assert llm.token_eos() == bpe.END
