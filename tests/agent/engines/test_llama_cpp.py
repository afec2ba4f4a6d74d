"""The real engine on a tiny model of random weights."""

from __future__ import annotations

import logging
import runpy
from pathlib import Path

import pytest

from agent.engines.api import Piece, PromptRead, Reply
from agent.engines.llama_cpp import LlamaCpp
from agent.errors import EngineFailed, ModelMissing
from agent.policy.history import Message

STARTER = Path(__file__).parents[3] / "agent" / "starter" / "starter.gguf"
TINY = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "make_tiny_gguf.py"))
SYSTEM = Message("system", "You are kind. " * 10)
HELLO = Message("user", "hello there")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return TINY["make_tiny_gguf"](tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def engine(tiny):
    loaded = _load(tiny)
    yield loaded
    loaded.close()


def _load(path, **settings):
    greedy = {"context_tokens": 512, "reply_tokens": 40, "temperature": 0, "gpu_layers": 0, "threads": 1}
    engine = LlamaCpp({"model": str(path), **greedy, **settings})
    engine.load(lambda _note: None)
    return engine


def _answer(engine, *messages, begun="", cancelled=lambda: False):
    results = list(engine.handle(Reply(messages, begun), cancelled))
    return results[0], "".join(result.text for result in results[1:])


def test_a_reply_is_the_prompts_figures_and_then_pieces_of_text(engine):
    results = list(engine.handle(Reply([SYSTEM, HELLO]), lambda: False))
    assert isinstance(results[0], PromptRead)
    assert results[0].reused_tokens == 0
    assert all(isinstance(result, Piece) and result.text for result in results[1:])
    assert len(results) > 10


def test_it_says_who_it_is_and_where_it_runs(tiny):
    engine = LlamaCpp({"model": str(tiny), "gpu_layers": 0, "context_tokens": 256})
    facts = engine.load(lambda _note: None)
    engine.close()
    assert facts.engine == "llama-cpp-python, tiny.gguf, CPU, 1 thread"
    assert (facts.vram_mib, facts.heavy) == (0, False)


def test_what_was_read_before_is_not_read_again(engine):
    first, text = _answer(engine, SYSTEM, HELLO)
    second, _ = _answer(engine, SYSTEM, HELLO, Message("assistant", text), Message("user", "and now"))
    assert second.reused_tokens >= first.prompt_tokens
    assert second.prompt_tokens - second.reused_tokens < 80


def test_the_same_prompt_again_costs_one_token_and_gives_the_same_reply(engine):
    first, text = _answer(engine, SYSTEM, HELLO)
    second, again = _answer(engine, SYSTEM, HELLO)
    assert second.reused_tokens == first.prompt_tokens - 1
    assert again == text


def test_reuse_does_not_change_the_reply(engine, tiny):
    conversation = [SYSTEM, HELLO, Message("assistant", "the hell"), Message("user", "well")]
    _answer(engine, SYSTEM, HELLO)
    read, text = _answer(engine, *conversation)
    fresh = _load(tiny)
    assert read.reused_tokens > 0
    assert _answer(fresh, *conversation)[1] == text
    fresh.close()


def test_after_a_cancel_in_the_middle_of_writing_the_next_reply_is_as_if_nothing_had_been(engine, tiny):
    results = engine.handle(Reply([SYSTEM, HELLO]), lambda: False)
    for _ in range(5):
        next(results)
    results.close()
    other = [SYSTEM, Message("user", "something else")]
    fresh = _load(tiny)
    assert _answer(engine, *other)[1] == _answer(fresh, *other)[1]
    fresh.close()


def test_a_cancel_between_two_pieces_of_the_prompt_is_obeyed_and_what_was_read_is_kept(engine):
    looks = iter([False, False, True])
    prompt = [SYSTEM, Message("user", "word " * 40)]
    assert list(engine.handle(Reply(prompt), lambda: next(looks))) == []
    read, text = _answer(engine, *prompt)
    assert 0 < read.reused_tokens < read.prompt_tokens
    _, again = _answer(engine, *prompt)
    assert again == text


def test_a_cancel_between_two_tokens_ends_the_reply(engine):
    looks = 0

    def cancelled():
        nonlocal looks
        looks += 1
        return looks > 20

    results = list(engine.handle(Reply([SYSTEM, HELLO]), cancelled))
    assert isinstance(results[0], PromptRead)
    assert 1 < len(results) < 20


def test_a_long_conversation_stays_within_the_context_and_is_mostly_read_once(tiny):
    engine = _load(tiny, reply_tokens=8)
    talk, dropped = [SYSTEM], []
    for _ in range(30):
        talk.append(Message("user", "well"))
        read, text = _answer(engine, *talk)
        assert read.prompt_tokens <= 512 - 8
        dropped.append(read.dropped_messages)
        talk.append(Message("assistant", text))
    assert dropped == sorted(dropped)
    assert dropped[-1] > 30
    assert len(set(dropped)) <= 7, "the beginning of the prompt changes too often"
    engine.close()


def test_a_message_longer_than_the_context_is_cut_at_its_beginning_and_that_is_logged(engine, caplog):
    with caplog.at_level(logging.WARNING):
        read, _ = _answer(engine, SYSTEM, Message("user", "secret " * 300 + "the end"))
    assert read.prompt_tokens <= 512 - 40
    assert "too long for the context" in caplog.text
    assert "secret" not in caplog.text
    seen = engine._llm.detokenize(engine._llm.input_ids[: read.prompt_tokens].tolist()).decode()
    assert "You are kind" in seen
    assert "the end" in seen


def test_a_system_prompt_longer_than_the_context_keeps_its_beginning(engine):
    read, _ = _answer(engine, Message("system", "I am Parley. " + "blah " * 300), HELLO)
    seen = engine._llm.detokenize(engine._llm.input_ids[: read.prompt_tokens].tolist()).decode()
    assert "I am Parley." in seen
    assert "hello there" in seen


# --- going on with a reply ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["hello there", "how was your day?", "tell me a story", "do you like music?"])
def test_a_reply_begun_anew_after_any_of_its_tokens_is_the_reply_made_in_one_go(question):
    engine = _load(STARTER, context_tokens=2048)
    talk = [Message("system", "You are kind."), Message("user", question)]
    pieces = [result.text for result in engine.handle(Reply(talk), lambda: False) if isinstance(result, Piece)]
    assert len(pieces) > 5
    for said in range(1, len(pieces) + 1):
        _, rest = _answer(engine, *talk, begun="".join(pieces[:said]))
        assert rest == "".join(pieces[said:])
    engine.close()


@pytest.mark.parametrize("said", [1, 5, 20, 39])
def test_what_was_begun_counts_as_said_when_it_is_repeated(engine, said):
    _, text = _answer(engine, SYSTEM, HELLO)  # it repeats one letter for ever, but for the penalty
    assert len(text) == 40
    assert _answer(engine, SYSTEM, HELLO, begun=text[:said])[1] == text[said:]


def test_going_on_reads_nothing_again_that_is_in_memory(engine):
    first, text = _answer(engine, SYSTEM, HELLO)
    read, _ = _answer(engine, SYSTEM, HELLO, begun=text[:12])
    assert read.reused_tokens == read.prompt_tokens - 1 > first.prompt_tokens


def test_going_on_in_a_fresh_process_is_as_in_the_one_that_began(engine, tiny):
    _, text = _answer(engine, SYSTEM, HELLO)
    fresh = _load(tiny)
    assert _answer(fresh, SYSTEM, HELLO, begun=text[:12])[1] == _answer(engine, SYSTEM, HELLO, begun=text[:12])[1]
    fresh.close()


def test_a_space_that_was_said_already_is_not_said_again():
    engine = _load(STARTER, context_tokens=2048)
    _, text = _answer(engine, HELLO)
    first, _, others = text.strip().partition(" ")
    assert others
    assert _answer(engine, HELLO, begun=f" {first} ")[1] == others
    engine.close()


def test_what_was_begun_counts_towards_the_longest_reply(engine):
    _, text = _answer(engine, SYSTEM, HELLO)
    tokens = len(engine._llm.tokenize(text.encode(), add_bos=False))
    assert tokens == 40
    assert len(_answer(engine, SYSTEM, HELLO, begun=text[:-1])[1]) == 1
    assert list(engine.handle(Reply([SYSTEM, HELLO], text), lambda: False)) == []
    assert list(engine.handle(Reply([SYSTEM, HELLO], text * 20), lambda: False)) == []


# --- smaller --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gpu_layers", "half"), [(-1, 1), (20, 10), (1, 0), (0, 0)])
def test_smaller_is_half_the_context_and_half_the_layers_on_a_gpu(tiny, gpu_layers, half):
    engine = _load(tiny, smaller=True, context_tokens=1024, gpu_layers=gpu_layers)
    assert engine._llm.n_ctx() == 512
    assert engine._gpu_layers == half  # of a file with two
    assert _answer(engine, SYSTEM, HELLO)[1]
    engine.close()


def test_a_context_is_not_halved_below_what_the_settings_allow(tiny):
    engine = _load(tiny, smaller=True, context_tokens=300)
    assert engine._context_tokens == 256
    engine.close()


# --- the model's own ways -------------------------------------------------------------------------------------------


def test_the_reply_ends_where_the_model_ends_its_turn(tmp_path):
    engine = _load(TINY["make_tiny_gguf"](tmp_path / "ends.gguf", says=[TINY["END"]]))
    assert _answer(engine, SYSTEM, HELLO)[1] == ""
    engine.close()


def test_a_template_token_ends_the_reply_too(tmp_path):
    engine = _load(TINY["make_tiny_gguf"](tmp_path / "turns.gguf", says=[TINY["TURN"]]))
    assert _answer(engine, SYSTEM, HELLO)[1] == ""
    engine.close()


def test_no_character_is_broken_into_pieces(tmp_path):
    says = [TINY["byte_token"](byte) for byte in "é".encode()]
    engine = _load(TINY["make_tiny_gguf"](tmp_path / "wide.gguf", says=says), temperature=2, reply_tokens=200)
    _, text = _answer(engine, HELLO)
    assert set(text) == {"é"}
    engine.close()


def test_a_model_without_a_template_is_asked_in_a_usual_way_and_that_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        engine = _load(TINY["make_tiny_gguf"](tmp_path / "plain.gguf", template=None))
    assert "no chat template" in caplog.text
    assert _answer(engine, SYSTEM, HELLO)[1]
    engine.close()


def test_a_broken_template_is_told_with_the_file(tmp_path):
    path = TINY["make_tiny_gguf"](tmp_path / "broken.gguf", template="{{ raise_exception('not today') }}")
    with pytest.raises(EngineFailed, match=r"broken\.gguf.*not today"):
        _load(path)


def test_a_missing_model_says_what_to_do(tmp_path):
    with pytest.raises(ModelMissing, match="parley models"):
        _load(tmp_path / "nothing.gguf")


def test_a_file_that_is_no_model_is_told_with_llama_cpps_own_words(tmp_path):
    path = tmp_path / "noise.gguf"
    path.write_bytes(b"this is no model" * 100)
    with pytest.raises(EngineFailed, match=r"noise\.gguf.*magic"):
        _load(path)


def test_the_native_library_writes_nothing(tiny, capfd):
    engine = _load(tiny)
    _answer(engine, SYSTEM, HELLO)
    engine.close()
    assert capfd.readouterr() == ("", "")
