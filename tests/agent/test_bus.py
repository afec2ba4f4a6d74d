from __future__ import annotations

import pytest

from agent.bus import Bus, InboxOverflow
from agent.clock import run_virtual
from agent.events import CompanionStarted, Event, MuteChanged, PartialHeard, Seconds, SpeechStarted


def mute(at: float) -> Event:
    return MuteChanged(at=Seconds(at), muted=True)


def partial(at: float) -> Event:
    return PartialHeard(at=Seconds(at), text="so far")


def test_everyone_gets_what_they_listen_to_in_order():
    async def main():
        bus = Bus()
        inbox, everything = bus.inbox(MuteChanged, PartialHeard), bus.inbox()
        for event in (mute(1), SpeechStarted(at=Seconds(2)), partial(3)):
            bus.publish(event)
        assert [(await inbox.get()).at for _ in range(2)] == [1, 3]
        assert [(await everything.get()).at for _ in range(3)] == [1, 2, 3]

    run_virtual(main())


def test_a_tap_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture):
    async def main():
        bus = Bus()
        inbox, seen = bus.inbox(), []
        bus.tap(lambda _: 1 / 0)
        bus.tap(seen.append)
        bus.publish(mute(1))
        assert seen == [mute(1)]
        assert await inbox.get() == mute(1)

    run_virtual(main())
    assert "a tap failed on MuteChanged" in caplog.text


def test_a_removed_tap_and_a_closed_inbox_get_nothing_more():
    async def main():
        bus = Bus()
        inbox, seen = bus.inbox(), []
        remove = bus.tap(seen.append)
        remove()
        bus.close(inbox)
        bus.publish(mute(1))
        assert not seen
        assert not inbox.waiting()

    run_virtual(main())


def test_a_full_inbox_drops_the_oldest_unstable_text_first():
    async def main():
        bus = Bus()
        inbox = bus.inbox()
        bus.publish(partial(0))
        for at in range(1, 1025):
            bus.publish(mute(at))
        assert inbox.dropped == 1
        assert (await inbox.get()).at == 1

    run_virtual(main())


def test_an_inbox_full_of_facts_breaks_visibly_and_then_works_again():
    async def main():
        bus = Bus()
        inbox, quick = bus.inbox(), bus.inbox(CompanionStarted)
        for at in range(1025):
            bus.publish(mute(at))
        for _ in range(1024):
            await inbox.get()
        with pytest.raises(InboxOverflow):
            await inbox.get()
        bus.publish(mute(2000))
        assert (await inbox.get()).at == 2000
        assert not quick.waiting()

    run_virtual(main())
