# ruff: noqa: S311 -- chance is seeded here, so that a run can be repeated
"""Judge a finished GGUF through llama-cpp-python: `python -m scripts.starter.evaluate`.

What an answer is about is judged by the known answer that is most like it: an answer counts as on topic when that known
answer belongs to an accepted family and is like it enough. `confusion` says how often an answer of some other family
would have passed.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import initiative, judge
from .phrases import intents, names
from .systems import TIMES, render, shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    import llama_cpp

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "agent" / "starter" / "starter.gguf"
Message = dict[str, str]
NAME_QUESTIONS = (
    "what is your name",
    "who are you",
    "hello who am i speaking to",
    "could you tell me your name please",
    "do you have a name",
    "what should i call you",
    "sorry what was your name again",
    "so what do they call you",
    "tell me what you are called",
    "What's your name?",
)
OWN_PROMPTS = (
    "You are {name}, my old parrot. You sit on the shelf by the window and love biscuits. It is {time_of_day}. {user}",
    "# {name}\n\n{name} is the ship's computer. Calm, exact, loyal. Local time: {time_of_day}. {user} Keep it short.",
    """Pretend that your name is {name} and that we have been friends since school. {user} It's {time_of_day} here.
Be honest with me and never longer than two sentences, because I listen while I cook.""",
    "{user} It is {time_of_day}. Your name is {name}. Help me stay cheerful.",
)
HUSHING = (
    "good night",
    "please be quiet",
    "i need to concentrate",
    "goodbye",
    "i'm going to bed",
    "i have to go now",
    "stop talking please",
)


def system(name: str, tod: str, user: str | None, rng: random.Random) -> Message:
    """A shipped personality or an owner's own, under any name."""
    bodies = [shipped(file) for file in ("parley", "juniper", "flint")] + list(OWN_PROMPTS)
    return {"role": "system", "content": render(rng.choice(bodies), name, tod, user)}


class Speaker:
    """The model, asked as Parley asks it."""

    def __init__(self, llm: llama_cpp.Llama, temperature: float = 0.0) -> None:
        self.llm, self.temperature = llm, temperature
        self.stops: list[bool] = []
        self.replies: list[str] = []

    def __call__(self, messages: list[Message]) -> str:
        """The reply; whether it ended by itself is remembered."""
        answer = self.llm.create_chat_completion(messages, max_tokens=80, temperature=self.temperature, seed=1)
        choice = answer["choices"][0]
        text = choice["message"]["content"].strip()
        self.stops.append(choice["finish_reason"] == "stop")
        self.replies.append(text)
        return text


def held_out() -> list[tuple[set[str], str, bool]]:
    """Accepted families, the words, and whether they were looked at while the talk files were written."""
    lines = (HERE / "held_out.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("|") for line in lines if "|" in line and not line.startswith("#")]
    return [(set(accepted.split()) - {"*"}, words.strip(), "*" in accepted) for accepted, words in pairs]


def on_topic(speak: Speaker, *, show: bool) -> tuple[float, float, int]:
    """Share over the counted lines, share over those that are looked at, and how many were counted."""
    known = judge.Judge()
    right: dict[bool, list[bool]] = {True: [], False: []}
    for number, (accepted, words, seen) in enumerate(held_out()):
        rng = random.Random(number)
        name, tod = rng.choice(names("held_out_names.txt")), rng.choice(TIMES)
        reply = speak([system(name, tod, rng.choice((None, "Maria")), rng), {"role": "user", "content": words}])
        family, likeness = known.nearest(reply)
        good = known.accepts(reply, accepted)
        right[seen].append(good)
        if show and seen and not good:
            print(f"   {words!r} -> {reply!r} ({family} {likeness:.2f}, wanted {', '.join(accepted)})")
    return _share(right[False]), _share(right[True]), len(right[False])


def _share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


def name_use(speak: Speaker, count: int = 100) -> float:
    """Asked for its name under names it has never seen."""
    good = []
    for number in range(count):
        rng = random.Random(number)
        name = rng.choice(names("held_out_names.txt"))
        reply = speak(
            [
                system(name, rng.choice(TIMES), rng.choice((None, "Tom")), rng),
                {"role": "user", "content": NAME_QUESTIONS[number % 10]},
            ]
        )
        good.append(name in reply)
    return _share(good)


def facts_of_the_prompt(speak: Speaker, count: int = 40) -> tuple[float, float]:
    """Shares of right answers to the time of day, and to the user's own name (given in the prompt or in the talk)."""
    times, users = [], []
    for number in range(count):
        rng = random.Random(number)
        tod, user = TIMES[number % 4], rng.choice(("Tom", "Priya", "Greta", "Walter", "Zoe", "Kevin", "Amira"))
        told = number % 2 == 0
        prompt = system(rng.choice(names("held_out_names.txt")), tod, None if told else user, rng)
        talk = [prompt]
        if told:
            talk.append({"role": "user", "content": f"my name is {user.lower()}"})
            talk.append({"role": "assistant", "content": speak(talk)})
        times.append(tod in speak([prompt, {"role": "user", "content": "what time is it"}]))
        users.append(user in speak([*talk, {"role": "user", "content": "do you know my name"}]))
    return _share(times), _share(users)


def passes(speak: Speaker, count: int = 42) -> tuple[float, float, float]:
    """Shares: PASS after a wish for quiet, a remark after an ordinary turn, and a remark that fits the time of day."""
    hushed, spoken, fitting = [], [], []
    others = {tod: set(TIMES) - {tod} for tod in TIMES}
    for number in range(count):
        rng = random.Random(number)
        tod = rng.choice(TIMES[:3])
        start = [
            system("Parley", tod, None, rng),
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "Hello there."},
        ]
        ask = {"role": "user", "content": initiative.request("4 minutes", tod)}
        bye = [{"role": "user", "content": rng.choice(HUSHING)}, {"role": "assistant", "content": "All right."}]
        hushed.append(speak([*start, *bye, ask]) == "PASS")
        reply = speak([*start, ask])
        spoken.append(reply != "PASS")
        fitting.append(not any(re.search(rf"\b{other}\b", reply) for other in others[tod]))
    return _share(hushed), _share(spoken), _share(fitting)


def long_talk(speak: Speaker, seed: int = 3) -> float:
    """Share of on-topic answers while one conversation grows to about 1500 tokens."""
    rng, known, good = random.Random(seed), judge.Judge(), []
    talk = [system("Parley", "evening", "Tom", rng)]
    asked = [line for line in held_out() if not line[0] & {"unclear", "repeat_unclear"}]
    while len(speak.llm.tokenize("".join(m["content"] for m in talk).encode(), add_bos=False)) < 1450:
        accepted, words, _ = rng.choice(asked)
        talk.append({"role": "user", "content": words})
        talk.append({"role": "assistant", "content": speak(talk)})
        good.append(known.accepts(talk[-1]["content"], accepted))
    return _share(good[len(good) // 2 :])


def speed(llm: llama_cpp.Llama, rounds: int = 5) -> tuple[float, float, int]:
    """Median ms to the first token after a fresh prompt, tokens per second, and the prompt's length in tokens."""
    body = render(shipped("parley"), "Parley", "evening", None)
    words = "i went to the market today and bought some apples and bread and then i met an old friend at the station "
    firsts, rates, size = [], [], 0
    for number in range(rounds):
        prompt = f"{number} {body}"
        while len(llm.tokenize((prompt + words).encode(), add_bos=False)) < 290:
            prompt += f" {words}"
        size = len(llm.tokenize(prompt.encode(), add_bos=False))
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": "tell me a story"}]
        llm.reset()
        start, stamps = time.perf_counter(), []
        pieces = llm.create_chat_completion(messages, max_tokens=40, temperature=0.0, stream=True)
        stamps += [time.perf_counter() for piece in pieces if piece["choices"][0]["delta"].get("content")]
        firsts.append((stamps[0] - start) * 1000)
        rates.append((len(stamps) - 1) / (stamps[-1] - stamps[0]))
    return sorted(firsts)[rounds // 2], sorted(rates)[rounds // 2], size


def main() -> None:
    """Command line: print every figure."""
    import llama_cpp  # noqa: PLC0415 -- slow to load, and not needed to read the held-out lines

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument(
        "--show", action="store_true", help="print what went wrong among the lines meant to be looked at"
    )
    options = parser.parse_args()
    llm = llama_cpp.Llama(str(options.model), n_ctx=2048, n_threads=2, n_threads_batch=2, verbose=False)
    speak = Speaker(llm, options.temperature)
    topic, seen, counted = on_topic(speak, show=options.show)
    times, users = facts_of_the_prompt(speak)
    hushed, spoken, fitting = passes(speak)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("on topic, held-out phrasings", lambda: f"{topic:.1%} of {counted} (and {seen:.1%} of those looked at)"),
        ("another family's answer would pass", lambda: f"{judge.confusion(held_out()):.1%}"),
        ("own name, names never seen", lambda: f"{name_use(speak):.1%} of 100"),
        ("time of day from the prompt", lambda: f"{times:.1%} of 40"),
        ("user's name remembered", lambda: f"{users:.1%} of 40"),
        ("PASS after a wish for quiet", lambda: f"{hushed:.1%} of 42"),
        ("a remark after an ordinary turn", lambda: f"{spoken:.1%}; none of another time of day: {fitting:.1%}"),
        ("on topic between 750 and 1450 tokens", lambda: f"{sum(long_talk(speak, s) for s in (3, 4, 5)) / 3:.1%}"),
        (
            "at most three sentences",
            lambda: (
                f"{_share([len(re.findall(r'[.!?]+', r)) <= 3 for r in speak.replies]):.1%} of {len(speak.replies)}"
            ),
        ),
        ("clean stops", lambda: f"{_share(speak.stops):.1%}"),
        (
            "words per reply, median",
            lambda: str(sorted(len(r.split()) for r in speak.replies)[len(speak.replies) // 2]),
        ),
        (
            "first token / speed",
            lambda: "{:.0f} ms / {:.0f} tokens/s, prompt of {} tokens, 2 threads".format(*speed(llm)),
        ),
        ("file", lambda: f"{options.model.stat().st_size / 1e6:.2f} MB; {len(intents())} families"),
    ]
    for label, figure in checks:
        print(f"{label:40} {figure()}", flush=True)


if __name__ == "__main__":
    main()
