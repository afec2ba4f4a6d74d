"""The scheduler at work, on virtual time, with models that obey the test."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from agent.bus import Bus
from agent.clock import Clock, run_virtual
from agent.engines.api import Facts
from agent.errors import EngineFailed, EngineHung, LeaseRefused, ModelMissing, WorkerDied
from agent.events import Event, LeaseGranted, LeaseReleased, ModelEvicted, ModelLoaded, Seconds, SentenceReady, Turn
from agent.settings import VramSettings
from agent.vram import Vram


class ObedientModel:
    """A model whose loads and ends take the time they are told, and go wrong when they are told."""

    def __init__(self, load_seconds: float = 1.0, *, heavy: bool = True, vram_mib: int = 0, evict_seconds: float = 0.0):
        self.on_died = None
        self.load_seconds, self.evict_seconds = load_seconds, evict_seconds
        self.facts = Facts(engine="obedient", heavy=heavy, vram_mib=vram_mib)
        self.error: Exception | None = None
        self.alive = False
        self.loads = 0
        self.forms = ("full",)
        self.standing = False

    @property
    def pid(self):
        return 7 if self.alive else 0

    async def pause(self):
        self.standing = True

    def resume(self):
        self.standing = False

    def key(self, form):
        return str(form)

    async def load(self, _form):
        self.loads += 1
        await asyncio.sleep(self.load_seconds)
        if self.error:
            raise self.error
        self.alive = True
        return self.facts

    async def evict(self):
        await asyncio.sleep(self.evict_seconds)
        self.alive = False

    def die(self):
        self.alive = False
        self.on_died(WorkerDied("The worker was killed."))


class Room:
    """So much memory, less what the models in it take."""

    lags = True

    def __init__(self, total_mib, models):
        self.total_mib, self.models = total_mib, models

    def free_mib(self):
        return self.total_mib - sum(model.facts.vram_mib for model in self.models.values() if model.alive)

    def used_by_mib(self, _pid):
        return None  # as where a driver does not tell: a footprint is then what is free less than before


class House:
    """A scheduler, its models and its journal."""

    def __init__(self, models=None, *, total_mib=None, heavy=None, **settings):
        self.bus, self.clock = Bus(), Clock()
        self.journal: list[Event] = []
        self.bus.tap(self.journal.append)
        self.models = models or {name: ObedientModel() for name in ("mind", "voice", "stt")}
        memory = Room(1 << 30 if total_mib is None else total_mib, self.models)
        settings.setdefault("reserve_mib", 0)
        self.vram = Vram(self.bus, self.clock, VramSettings(**settings), self.models, heavy=heavy, memory=memory)

    def of(self, *kinds):
        return [event for event in self.journal if isinstance(event, kinds)]

    async def use(self, model, seconds, *, kind="replying", within=None, owner=None, log=None):
        """Hold a lease for some time."""
        deadline = None if within is None else Seconds(self.clock.now() + within)
        async with self.vram.lease(model, owner=owner or model, kind=kind, deadline=deadline) as lease:
            if log is not None:
                log.append((self.clock.now(), owner or model))
            await asyncio.sleep(seconds)
        return lease

    def check(self):
        """The intervals of heavy leases in the journal do not overlap, and everything that was opened is closed."""
        holder = None
        loaded = set()
        for event in self.journal:
            match event:
                case LeaseGranted(light=False):
                    assert holder is None
                    assert event.model in loaded
                    holder = event.model
                case LeaseReleased() if event.model == holder:
                    holder = None
                case ModelLoaded():
                    assert event.model not in loaded
                    loaded.add(event.model)
                case ModelEvicted():
                    loaded.remove(event.model)
                case _:
                    pass
        assert holder is None
        assert not loaded
        assert not any(model.alive for model in self.models.values())


def live(scenario, *args, **kwargs):
    async def main():
        house = House(*args, **kwargs)
        async with house.vram:
            await scenario(house)
        house.check()
        assert len(asyncio.all_tasks()) == 1
        return house

    return run_virtual(main())


# --- leases ---------------------------------------------------------------------------------------------------------


def test_a_lease_waits_for_the_load_and_says_for_how_long():
    async def scenario(house):
        lease = await house.use("mind", 2.0)
        assert (lease.waited_seconds, lease.load_seconds) == (1.0, 1.0)
        again = await house.use("mind", 0.0)
        assert (again.waited_seconds, again.load_seconds) == (0.0, 0.0)

    house = live(scenario)
    loaded = house.of(ModelLoaded)[0]
    assert (loaded.at, loaded.model, loaded.seconds, loaded.engine) == (1.0, "mind", 1.0, "obedient")
    granted, released = house.of(LeaseGranted)[0], house.of(LeaseReleased)[0]
    assert (granted.at, granted.waited_seconds, granted.light, granted.owner) == (1.0, 1.0, False, "mind")
    assert (released.at, released.held_seconds) == (3.0, 2.0)


def test_a_resident_model_is_leased_without_giving_up_the_processor():
    async def scenario(house):
        await house.vram.prepare("mind")
        ran = []
        asyncio.get_running_loop().call_soon(ran.append, "someone else")
        async with house.vram.lease("mind", owner="thinking", kind="replying"):
            assert not ran

    live(scenario)


def test_heavy_leases_exclude_each_other_and_light_ones_do_not():
    models = {"mind": ObedientModel(), "voice": ObedientModel(), "stt": ObedientModel(heavy=False)}

    async def scenario(house):
        await asyncio.gather(*(house.vram.prepare(name) for name in models))
        began = []
        uses = [("mind", 3.0), ("voice", 1.0), ("stt", 2.0), ("stt", 1.0)]
        start = house.clock.now()
        await asyncio.gather(*(house.use(model, seconds, log=began) for model, seconds in uses))
        assert [(at - start, owner) for at, owner in began] == [(0, "mind"), (0, "stt"), (0, "stt"), (3, "voice")]

    live(scenario, models)


def test_the_earliest_deadline_is_served_first():
    async def scenario(house):
        for name in house.models:
            await house.vram.prepare(name)
        order = []
        uses = [("mind", 1, 9), ("voice", 1, 8), ("stt", 1, 5), ("mind", 1, 6)]
        await asyncio.gather(*(house.use(name, s, within=d, owner=f"{name} {d}", log=order) for name, s, d in uses))
        assert [owner for _, owner in order] == ["mind 9", "stt 5", "mind 6", "voice 8"]

    live(scenario)


def test_mind_and_voice_alternate_sentence_by_sentence():
    """As the routines do it: the sentence travels over the bus, and through two tasks, before a lease is asked for."""

    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        inbox, sentences, order = house.bus.inbox(SentenceReady), asyncio.Queue(), []

        async def think():
            async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
                for index in range(3):
                    await asyncio.sleep(1.0)
                    order.append(f"thought {index}")
                    now = house.clock.now()
                    house.bus.publish(SentenceReady(at=now, turn=Turn(1), index=index, text="", first_token_at=now))
                    await lease.checkpoint()

        async def read():
            for _ in range(3):
                sentences.put_nowait(await inbox.get())

        async def speak():
            for _ in range(3):
                sentence = await sentences.get()
                async with house.vram.lease("voice", owner="speaking", kind="replying"):
                    order.append(f"spoke {sentence.index}")
                    await asyncio.sleep(0.5)

        await asyncio.gather(think(), read(), speak())
        assert order == [step for index in range(3) for step in (f"thought {index}", f"spoke {index}")]

    live(scenario)


def test_a_checkpoint_costs_no_time_when_nobody_waits():
    async def scenario(house):
        async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
            before = house.clock.now()
            await lease.checkpoint()
            assert house.clock.now() == before
        assert len(house.of(LeaseGranted)) == 1

    live(scenario)


def test_waits_at_checkpoints_add_up():
    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
            other = asyncio.create_task(house.use("voice", 3.0))
            await lease.checkpoint()
            assert lease.waited_seconds == 3.0
            await other

    live(scenario)


def test_a_request_is_refused_exactly_at_its_deadline():
    async def scenario(house):
        await house.vram.prepare("mind")
        holding = asyncio.create_task(house.use("mind", 10.0, owner="thinking"))
        await asyncio.sleep(0)
        with pytest.raises(LeaseRefused, match="thinking holds the mind"):
            await house.use("mind", 1.0, within=2.5)
        assert house.clock.now() == 3.5
        await holding

    live(scenario)


def test_the_setting_is_the_patience_of_those_who_say_nothing():
    async def scenario(house):
        with pytest.raises(LeaseRefused, match="is being loaded"):
            await house.use("mind", 1.0)
        assert house.clock.now() == 4.0
        assert (await house.vram.prepare("mind")).engine == "obedient", "the load went on"

    live(scenario, {"mind": ObedientModel(10.0)}, lease_seconds=4)


def test_one_who_gave_way_can_be_refused_too():
    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
            other = asyncio.create_task(house.use("voice", 30.0, within=1.0))
            await asyncio.sleep(0)
            with pytest.raises(LeaseRefused, match="voice"):
                await lease.checkpoint(Seconds(house.clock.now() + 5.0))
        await other

    live(scenario)


# --- cancellation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("resident", [True, False])
def test_whoever_is_cancelled_anywhere_leaves_no_trace(turns, resident):
    """Cancel a holder that waits, holds, checks and waits again, at every turn of the loop."""

    async def scenario(house):
        if resident:
            await house.vram.prepare("mind")
            await house.vram.prepare("voice")

        async def one():
            async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
                await asyncio.sleep(0)
                await lease.checkpoint()
                await asyncio.sleep(0)

        first = asyncio.create_task(house.use("voice", 0.5 if resident else 2.0))
        victim = asyncio.create_task(one())
        rival = asyncio.create_task(house.use("voice", 0.0, kind="hearing"))
        if turns > 5:
            await asyncio.sleep(0.5 if resident else 3.0)
        for _ in range(turns):
            await asyncio.sleep(0)
        victim.cancel()
        with suppress(asyncio.CancelledError):
            await victim
        await asyncio.gather(first, rival)
        assert house.vram.describe()["waiting"] == []
        await house.use("mind", 1.0)

    live(scenario)


def test_one_cancelled_in_the_moment_of_the_grant_gives_it_back():
    async def scenario(house):
        await house.vram.prepare("mind")
        holding = asyncio.create_task(house.use("mind", 1.0))
        victim = asyncio.create_task(house.use("mind", 1.0, owner="victim"))
        await holding
        assert house.of(LeaseGranted)[-1].owner == "victim"
        victim.cancel()
        with pytest.raises(asyncio.CancelledError):
            await victim
        assert house.of(LeaseReleased)[-1].owner == "victim"

    live(scenario)


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_while_leased_frees_the_lease_before_its_holder_knows():
    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
            waiting = asyncio.create_task(house.use("voice", 1.0))
            await asyncio.sleep(0)
            house.models["mind"].die()
            assert [event.model for event in house.of(LeaseGranted)] == ["mind", "voice"]
            with pytest.raises(WorkerDied, match="while thinking used it"):
                await lease.checkpoint()
        await waiting
        await house.use("mind", 1.0)
        assert house.models["mind"].loads == 2

    house = live(scenario)
    assert "its process ended: The worker was killed." in house.of(ModelEvicted)[0].reason


def test_one_who_gave_way_is_told_that_its_work_is_lost():
    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        async with house.vram.lease("mind", owner="thinking", kind="replying") as lease:
            other = asyncio.create_task(house.use("voice", 1.0))
            asyncio.get_running_loop().call_later(0.5, house.models["mind"].die)
            with pytest.raises(WorkerDied):
                await lease.checkpoint()
        await other

    live(scenario)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelMissing("There is no model."), ModelMissing),
        (EngineFailed("It raised."), EngineFailed),
        (OSError("no such file"), EngineFailed),
    ],
)
def test_the_error_of_a_load_reaches_everyone_who_waits_for_it(error, kind):
    async def scenario(house):
        house.models["mind"].error = error
        outcomes = await asyncio.gather(
            house.use("mind", 1.0), house.use("mind", 1.0), house.vram.prepare("mind"), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [kind] * 3
        assert len({id(outcome) for outcome in outcomes}) == 3
        house.models["mind"].error = None
        await house.use("mind", 1.0)

    live(scenario)


def test_repeated_failures_are_backed_off():
    async def scenario(house):
        house.models["mind"].error = EngineFailed("It raised.")
        began = []
        for _ in range(5):
            with pytest.raises(EngineFailed):
                await house.use("mind", 1.0)
            began.append(house.clock.now())
        assert [round(at, 3) for at in began] == [0.0, 0.0, 0.1, 0.3, 0.7]

    live(scenario, {"mind": ObedientModel(0.0)})


def test_a_load_that_never_returns_is_ended_and_the_next_one_works():
    async def scenario(house):
        house.models["mind"].load_seconds = 1e9
        waiting = asyncio.create_task(house.use("mind", 1.0, within=100))
        with pytest.raises(EngineHung):
            await house.vram.prepare("mind")
        assert house.clock.now() == 15.0
        with pytest.raises(EngineHung):
            await waiting
        house.models["mind"].load_seconds = 1.0
        await house.use("mind", 1.0)

    live(scenario, load_seconds=10)


def test_a_load_that_heeds_nothing_is_not_believed_any_more():
    class Stubborn(ObedientModel):
        async def load(self, _form):
            self.loads += 1
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1e9)
            return self.facts

    async def scenario(house):
        with pytest.raises(EngineHung):
            await house.use("mind", 1.0, within=100)
        await asyncio.sleep(1)
        assert not house.of(ModelLoaded)

    live(scenario, {"mind": Stubborn()}, load_seconds=10)


def test_an_eviction_that_never_returns_is_given_up_and_logged(caplog):
    async def scenario(house):
        await house.vram.prepare("mind")
        house.models["mind"].evict_seconds = 1e9
        await asyncio.sleep(10.0)
        assert not house.of(ModelEvicted)
        await asyncio.sleep(4.0)
        assert house.of(ModelEvicted)
        assert "may not have ended" in caplog.text
        house.models["mind"].evict_seconds, house.models["mind"].alive = 0.0, False

    live(scenario, idle_seconds=10)


def test_a_lease_held_too_long_ends_with_the_process():
    async def scenario(house):
        await house.vram.prepare("mind")
        await house.vram.prepare("voice")
        wedged = asyncio.create_task(house.use("mind", 500.0, owner="thinking"))
        await asyncio.sleep(0)
        await house.use("voice", 1.0, within=1000)
        assert house.clock.now() == 2.0 + 120.0 + 0.5 + 1.0
        wedged.cancel()
        await asyncio.wait((wedged,))

    models = {"mind": ObedientModel(evict_seconds=0.5), "voice": ObedientModel()}
    assert "thinking held it for 120 s" in live(scenario, models).of(ModelEvicted)[0].reason


# --- residency ------------------------------------------------------------------------------------------------------


def test_an_idle_model_is_unloaded_exactly_on_time():
    async def scenario(house):
        await house.use("mind", 2.0)
        await asyncio.sleep(2000)

    house = live(scenario, idle_seconds=900)
    assert [(event.at, event.reason) for event in house.of(ModelEvicted)] == [(903.0, "nobody used it for 900 s")]


def test_light_models_and_those_that_may_stay_are_not_unloaded():
    models = {"stt": ObedientModel(heavy=False), "mind": ObedientModel()}

    async def scenario(house):
        await house.use("stt", 1.0)
        await asyncio.sleep(2000)
        assert not house.of(ModelEvicted)

    live(scenario, models, idle_seconds=900)
    live(scenario, models, idle_seconds=0)


def test_what_does_not_fit_takes_the_place_of_what_is_idle():
    models = {"mind": ObedientModel(vram_mib=7000), "voice": ObedientModel(vram_mib=5000, evict_seconds=0.3)}

    async def scenario(house):
        await house.use("voice", 1.0)
        lease = await house.use("mind", 1.0)
        assert (round(lease.waited_seconds, 6), lease.load_seconds) == (1.3, 1.0)

    house = live(scenario, models, total_mib=10_000)
    assert house.of(ModelEvicted)[0].reason == "made room for the mind"


def test_what_can_never_fit_is_refused():
    models = {"mind": ObedientModel(vram_mib=7000)}

    async def scenario(house):
        await house.use("mind", 1.0)
        house.models["mind"].die()
        house.vram._memory.total_mib = 5000
        with pytest.raises(LeaseRefused, match="needs 7000 MiB"):
            await house.use("mind", 1.0)

    live(scenario, models, total_mib=10_000)


def test_prefetching_loads_what_fits_and_evicts_nothing():
    models = {"mind": ObedientModel(vram_mib=7000), "voice": ObedientModel(vram_mib=5000)}

    async def scenario(house):
        house.vram.prefetch("mind")
        house.vram.prefetch("mind")
        house.vram.prefetch("voice")
        await asyncio.sleep(5)
        assert [event.model for event in house.of(ModelLoaded)] == ["mind"]
        with pytest.raises(LeaseRefused, match="may need 6144 MiB"):
            await house.vram.prepare("voice")

    live(scenario, models, total_mib=10_000)


def test_the_setting_says_what_is_heavy_and_else_the_engine():
    models = {name: ObedientModel(heavy=False) for name in ("mind", "voice", "stt")}

    async def scenario(house):
        assert [house.vram.is_light(name) for name in models] == [False, True, False]
        for name in models:
            await house.vram.prepare(name)
        assert [house.vram.is_light(name) for name in models] == [False, True, True]

    live(scenario, models, heavy={"mind": "yes", "voice": "no"})


# --- the end, and words ---------------------------------------------------------------------------------------------


def test_closing_refuses_who_waits_and_leaves_no_process():
    async def scenario(house):
        await house.vram.prepare("mind")
        holding = asyncio.create_task(house.use("mind", 100.0))
        others = [asyncio.create_task(house.use("voice", 1.0)), asyncio.create_task(house.vram.prepare("stt"))]
        await asyncio.sleep(0.5)
        await house.vram.close()
        outcomes = await asyncio.gather(*others, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["Parley is stopping."] * 2
        for late in (house.use("mind", 1.0), house.vram.prepare("mind")):
            with pytest.raises(LeaseRefused):
                await late
        holding.cancel()
        await asyncio.wait((holding,))

    live(scenario)


def test_everything_can_be_told_in_words():
    models = {"mind": ObedientModel(vram_mib=3120), "voice": ObedientModel(), "stt": ObedientModel(heavy=False)}

    async def scenario(house):
        await house.use("stt", 0.0)
        holding = asyncio.create_task(house.use("mind", 3.0, owner="thinking"))
        await asyncio.sleep(1.5)
        waiting = asyncio.create_task(house.use("mind", 0.0, owner="remarks", kind="remark"))
        await asyncio.sleep(0.5)
        assert house.vram.describe() == {
            "mind": "loaded, heavy, 3120 MiB, held by thinking for 1.0 s; obedient",
            "voice": "not loaded",
            "stt": "loaded, light; obedient",
            "waiting": ["remarks for the mind (remark), for 0.5 s, at most 19.5 s more: thinking holds the mind"],
            "next loads": [
                f"voice: loads. The voice, not measured yet, may need 6144 MiB, and {(1 << 30) - 3120} MiB may be used."
            ],
            "yielding": "no",
            "last evictions": [],
        }
        await asyncio.gather(holding, waiting)
        house.models["mind"].die()
        words = house.vram.describe()
        assert words["mind"] == "not loaded after a failure"
        assert words["last evictions"] == ["mind: its process ended: The worker was killed."]

    live(scenario, models)


def test_the_next_load_waits_until_the_memory_is_seen_to_come_back():
    class Lagging(Room):
        back_at = float("inf")

        def free_mib(self):
            held = 7000 if self.clock.now() < self.back_at else 0
            return min(self.total_mib - held, super().free_mib())

    models = {"mind": ObedientModel(vram_mib=7000), "voice": ObedientModel(vram_mib=5000)}

    async def scenario(house):
        memory = house.vram._memory = house.vram._processes._memory = Lagging(8000, models)
        memory.clock = house.clock
        memory.back_at = 0.0
        await house.use("mind", 0.0)
        memory.back_at = house.clock.now() + 0.7
        await house.use("voice", 0.0)
        loads = {event.model: event.at - event.seconds for event in house.of(ModelLoaded)}
        assert loads["voice"] == pytest.approx(memory.back_at, abs=0.03)

    live(scenario, models, total_mib=8000)


def test_who_leaves_while_the_process_is_being_ended_leaves_the_scheduler_in_order():
    async def main():
        troubles = []
        asyncio.get_running_loop().set_exception_handler(lambda _l, c: troubles.append(repr(c["exception"])))
        house = House({"mind": ObedientModel(vram_mib=4000, evict_seconds=1.0)}, total_mib=12000)
        async with house.vram:
            async with house.vram.lease("mind", owner="thinking", kind="replying"):
                house.vram.press("a game is running")
            await house.vram.emptied()
            assert troubles == []
            assert len(house.of(LeaseReleased)) == 1
            house.vram.relieve()
            await house.use("mind", 1.0)
        house.check()

    run_virtual(main())
