from __future__ import annotations

import pytest

from agent.engines.api import Piece, Reply
from agent.engines.llama_cpp import LlamaCpp
from agent.policy.history import Message
from scripts.bench_heavy import reciter
from scripts.bench_heavy.answers import cut
from scripts.bench_heavy.stage import TEXT


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    path = reciter.write(tmp_path_factory.mktemp("models") / "reciter.gguf", TEXT, mib=32)
    engine = LlamaCpp({"model": str(path), "temperature": 0})
    engine.load(lambda _note: None)
    yield engine
    engine.close()


@pytest.mark.parametrize("begun", ["", "This evening I", cut(TEXT)[0], f"{cut(TEXT)[0]} Long", f"{cut(TEXT)[0]} "])
def test_it_recites_the_text_from_wherever_it_was_begun(engine, begun):
    request = Reply(messages=[Message("system", "You are Parley."), Message("user", "Hello.")], begun=begun)
    pieces = [result.text for result in engine.handle(request, lambda: False) if isinstance(result, Piece)]
    assert begun + "".join(pieces) == TEXT


def test_the_text_of_the_bench_has_six_sentences():
    assert len(cut(TEXT)) == 6


def test_a_word_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="comes twice"):
        reciter.write(tmp_path / "reciter.gguf", "What will be will be.", mib=32)
