"""A language model in a GGUF file, run by llama-cpp-python.

Why not its `create_chat_completion`: a prompt is read there in one piece, which nothing can interrupt, and how much of
it was still in memory is not told. Here the prompt is read in short pieces with a look at `cancelled()` between them.
The samplers are our own chain too: that of `Llama.generate` cannot be told what a reply has said already.

What the model has read stays in its memory (the KV cache). A prompt that begins as the memory does is read only from
where it differs, so a conversation that grows at its end costs only what is new. After a cancel the memory is simply
shorter; nothing has to be cleaned up.
"""

from __future__ import annotations

import codecs
import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from agent.clock import monotonic
from agent.engines.api import Facts, MindResult, Piece, PromptRead, Reply
from agent.engines.chat_template import ChatTemplate, StopText
from agent.engines.prompt import PromptWriter
from agent.errors import EngineFailed, ModelMissing
from agent.policy.history import Message

_LOGGER = logging.getLogger(__name__)
_HEAVY_BYTES = 500_000_000
_SMALL_BYTES = 64_000_000
"""A model up to this size is as fast on one thread as on two, and leaves the other cores alone."""
_BATCH_TOKENS = 512
"""The longest piece of a prompt that is read at a time."""
_FIRST_PIECE_TOKENS = 32
_SHORTEST_PIECE_TOKENS = 8
_PIECE_SECONDS = 0.08
"""How long reading one piece should take: so long does a cancel wait at most."""
_REPEAT_PENALTY = 1.05
_REPEAT_TOKENS = 64
"""So far back a repetition counts."""
_LEAST_CONTEXT_TOKENS = 256
_GGML_LOG_ERROR, _GGML_LOG_CONT = 4, 5
"""Levels of ggml.h: an error, and more of the line before."""


class LlamaCpp:
    """The mind engine."""

    requests: ClassVar[Any] = Reply

    def __init__(self, settings: dict[str, Any]) -> None:
        """The section `[mind]`, with `model` as a path; `smaller` halves the context and the layers on the GPU."""
        self._path = Path(str(settings.get("model") or ""))
        self._context_tokens = int(settings.get("context_tokens", 2048))
        self._reply_tokens = int(settings.get("reply_tokens", 160))
        self._temperature = float(settings.get("temperature", 0.3))
        self._gpu_layers = int(settings.get("gpu_layers", -1))
        self._threads = int(settings.get("threads", 0))
        self._smaller = bool(settings.get("smaller"))
        self._piece_tokens = _FIRST_PIECE_TOKENS

    # --- loading ----------------------------------------------------------------------------------------------------

    def load(self, send: Callable[[Struct], None]) -> Facts:  # noqa: ARG002  # only an ear speaks unasked
        """Map the file, find its template, and run the model once so that the first reply need not warm up."""
        if not self._path.is_file():
            raise ModelMissing(
                f"there is no model at {self._path}; see `parley models` for what is here and what can be had, "
                "and [mind] model in config.toml"
            )
        # llama.cpp's threads wait for each other after every step. By default they wait spinning; when one of them is
        # kept off its core by another program, reading 300 tokens took seconds in place of milliseconds.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import llama_cpp as native  # noqa: PLC0415  # only the worker needs it, and only now

        self._native: Any = native
        small = self._path.stat().st_size < _SMALL_BYTES
        self._threads = self._threads or (1 if small else os.cpu_count() or 1)
        if self._smaller:
            self._context_tokens = max(self._context_tokens // 2, _LEAST_CONTEXT_TOKENS)
            self._gpu_layers = self._half_the_layers()
        on_gpu = self._gpu_layers != 0 and native.llama_supports_gpu_offload()
        if self._gpu_layers > 0 and not on_gpu:
            _LOGGER.warning("gpu_layers is %d, but llama.cpp finds no GPU that it can use", self._gpu_layers)
        self._llm: Any = self._open(
            n_gpu_layers=self._gpu_layers if on_gpu else 0,
            n_ctx=self._context_tokens,
            n_batch=_BATCH_TOKENS,
            n_ubatch=_BATCH_TOKENS,
            n_threads=self._threads,
            n_threads_batch=self._threads,
        )
        self._vocabulary = native.llama_model_get_vocab(self._llm.model)
        self._memory = native.llama_get_memory(self._llm.ctx)
        self._limit = min(self._llm.n_ctx(), self._trained_context())
        budget = max(self._limit - self._reply_tokens, self._limit // 2)
        self._writer = PromptWriter(self._find_template(), self._llm, budget, self._token_text("bos"))
        self._sampler = _Sampler(native, self._llm.ctx, self._vocabulary, self._temperature)
        self._warm_up()
        return Facts(
            engine=f"llama-cpp-python, {self._path.name}, {self._place(on_gpu=on_gpu)}",
            heavy=on_gpu or self._path.stat().st_size > _HEAVY_BYTES,
        )

    def _half_the_layers(self) -> int:
        """For the GPU; what the file says of itself is read without its weights."""
        if self._gpu_layers >= 0:
            return self._gpu_layers // 2
        described = self._open(vocab_only=True)
        metadata = described.metadata
        described.close()
        return int(metadata[f"{metadata['general.architecture']}.block_count"]) // 2

    def _open(self, **how: Any) -> Any:
        log = _native_log()
        try:
            return self._native.Llama(str(self._path), verbose=False, **how)
        except Exception as error:
            told = "; ".join([str(error), *log.errors])
            raise EngineFailed(f"llama.cpp cannot load {self._path}: {told}") from error

    def _find_template(self) -> ChatTemplate:
        from llama_cpp import llama_chat_format as formats  # noqa: PLC0415  # as above

        source = self._llm.metadata.get("tokenizer.chat_template")
        formatter: Any
        if source:
            formatter = formats.Jinja2ChatFormatter(
                template=source, eos_token=self._token_text("eos"), bos_token=self._token_text("bos")
            )
        else:
            chatml = len(self._llm.tokenize(b"<|im_start|>", add_bos=False, special=True)) == 1
            formatter = formats.format_chatml if chatml else formats.format_llama2
            _LOGGER.warning("%s has no chat template; %s is used", self._path.name, "ChatML" if chatml else "Llama 2's")

        def render(messages: Sequence[Message]) -> str:
            spoken = [{"role": message.role, "content": message.content} for message in messages]
            # Models that can think aloud first would keep the user waiting; other templates ignore the word.
            return formatter(messages=spoken, enable_thinking=False).prompt

        try:
            return ChatTemplate(render)
        except Exception as error:
            raise EngineFailed(f"the chat template in {self._path.name} cannot be used: {error}") from error

    def _token_text(self, name: str) -> str:
        token = getattr(self._native, f"llama_vocab_{name}")(self._vocabulary)
        return "" if token < 0 else self._native.llama_vocab_get_text(self._vocabulary, token).decode()

    def _trained_context(self) -> int:
        metadata = self._llm.metadata
        return int(metadata.get(f"{metadata.get('general.architecture')}.context_length", self._context_tokens))

    def _warm_up(self) -> None:
        self._llm.eval([max(self._native.llama_vocab_bos(self._vocabulary), 0)])
        self._keep(0)

    def _place(self, *, on_gpu: bool) -> str:
        if on_gpu:
            return f"GPU, {'all' if self._gpu_layers < 0 else self._gpu_layers} layers"
        why = "" if self._gpu_layers == 0 else " (no GPU that llama.cpp can use)"
        return f"CPU{why}, {self._threads} thread{'s' if self._threads > 1 else ''}"

    # --- replying ---------------------------------------------------------------------------------------------------

    def handle(self, request: Reply, cancelled: Callable[[], bool]) -> Iterator[MindResult]:
        """Read the prompt, then write the reply, or what is left of it, token by token."""
        begun = request.begun.rstrip()  # a token begins with the space before its word
        prompt = self._writer.write(request.messages, begun)
        room = min(self._reply_tokens - len(prompt.begun), self._limit - len(prompt.tokens))
        if room <= 0:  # what was begun is as long as a reply may be
            return
        reused = self._keep(self._shared(prompt.tokens))
        if not self._read(prompt.tokens[reused:], cancelled):
            return
        yield PromptRead(len(prompt.tokens), reused, prompt.dropped_messages)
        yield from self._write(prompt.begun, room, request.begun[len(begun) :], cancelled)

    def close(self) -> None:
        """Free the model's memory."""
        self._sampler.close()
        self._llm.close()

    def _shared(self, prompt: Sequence[int]) -> int:
        """How many of the prompt's first tokens are in memory; the last one is read anew, for what follows it."""
        known = self._llm.input_ids[: self._llm.n_tokens].tolist()
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(known, prompt[:-1], strict=False)))

    def _keep(self, tokens: int) -> int:
        """Forget all but the first `tokens` tokens; some architectures can only forget everything."""
        if not self._native.llama_memory_seq_rm(self._memory, 0, tokens, -1):
            self._native.llama_memory_clear(self._memory, True)
            tokens = 0
        self._llm.n_tokens = tokens
        return tokens

    def _read(self, tokens: Sequence[int], cancelled: Callable[[], bool]) -> bool:
        """Read in pieces of about `_PIECE_SECONDS`; False if cancelled in between."""
        done = 0
        while done < len(tokens):
            if cancelled():
                return False
            piece = tokens[done : done + self._piece_tokens]
            began = monotonic()
            self._llm.eval(piece)
            rate = len(piece) / max(monotonic() - began, 1e-6)
            if len(piece) == self._piece_tokens:
                wanted = min(int(rate * _PIECE_SECONDS), 2 * self._piece_tokens)
                self._piece_tokens = min(max(wanted, _SHORTEST_PIECE_TOKENS), _BATCH_TOKENS)
            done += len(piece)
        return True

    def _write(self, begun: Sequence[int], room: int, space: str, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        """The reply up to the end of the turn, in whole characters, without the `space` that was said before it."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        stop = StopText()
        for token in islice(self._sampled(begun), room):
            if cancelled():
                return
            if self._ends_turn(token):
                break
            text = stop.feed(decoder.decode(self._llm.detokenize([token]))).removeprefix(space)
            space = ""
            if text:
                yield Piece(text)
            if stop.reached:
                return
        if rest := stop.finish():
            yield Piece(rest)

    def _sampled(self, begun: Sequence[int]) -> Iterator[int]:
        """Token after token, each read before the next."""
        self._sampler.begin(begun)
        while True:
            token = self._sampler.sample()
            yield token
            self._llm.eval([token])

    def _ends_turn(self, token: int) -> bool:
        """The end that the model knows, or any token that only a template would write."""
        native, vocabulary = self._native, self._vocabulary
        return native.llama_vocab_is_eog(vocabulary, token) or native.llama_vocab_is_control(vocabulary, token)


class _Sampler:
    """Chooses the next token from what the model has computed last."""

    def __init__(self, native: Any, context: Any, vocabulary: Any, temperature: float) -> None:
        self._native = native
        self._context = context
        self._chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        words = native.llama_vocab_n_tokens(vocabulary)
        self._add(native.llama_sampler_init_penalties(words, _REPEAT_TOKENS, _REPEAT_PENALTY, 0.0, 0.0))
        if temperature == 0:
            self._add(native.llama_sampler_init_greedy())
            return
        self._add(native.llama_sampler_init_top_k(40))
        self._add(native.llama_sampler_init_top_p(0.95, 1))
        self._add(native.llama_sampler_init_min_p(0.05, 1))
        self._add(native.llama_sampler_init_temp(temperature))
        self._add(native.llama_sampler_init_dist(native.LLAMA_DEFAULT_SEED))

    def begin(self, said: Sequence[int]) -> None:
        """A reply, of which `said` is said already: it counts as a repetition as if it had been chosen here."""
        self._native.llama_sampler_reset(self._chain)
        for token in said:
            self._native.llama_sampler_accept(self._chain, token)

    def sample(self) -> int:
        """The next token."""
        return self._native.llama_sampler_sample(self._chain, self._context, -1)

    def close(self) -> None:
        self._native.llama_sampler_free(self._chain)

    def _add(self, sampler: Any) -> None:
        self._native.llama_sampler_chain_add(self._chain, sampler)


class _NativeLog:
    """Keeps llama.cpp from writing pages to stderr; its errors go to our log, and into a failed load's message."""

    def __init__(self) -> None:
        """Take over from now on, in the whole process."""
        import llama_cpp as native  # noqa: PLC0415  # as above

        self.errors: deque[str] = deque(maxlen=5)
        """The last few."""
        self._level = 0
        self._callback: Any = native.llama_log_callback(self._take)
        native.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _user_data: object) -> None:
        if level != _GGML_LOG_CONT:
            self._level = level
        line = text.decode(errors="replace").strip(" .\n")
        if self._level == _GGML_LOG_ERROR and line:
            self.errors.append(line)
            _LOGGER.error("llama.cpp: %s", line)


@cache
def _native_log() -> _NativeLog:
    """One for the process, and never freed: llama.cpp may call it for as long as it lives."""
    return _NativeLog()
