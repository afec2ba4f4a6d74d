from __future__ import annotations

import asyncio
import subprocess

import pytest

from scripts.soak_leases.processes import alive, end, group


@pytest.fixture
def leader():
    """A process that leads a group of two."""
    process = subprocess.Popen(["sh", "-c", "sleep 600 & echo; wait"], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield process
    for pid in alive(group(process.pid)):
        subprocess.run(["kill", "-9", str(pid)], check=False)
    process.wait()
    process.stdout.close()


def test_what_a_leader_has_started_is_of_its_group_also_when_it_has_ended_itself(leader: subprocess.Popen[bytes]):
    members = group(leader.pid)
    assert (leader.pid in members, len(members)) == (True, 2)
    leader.kill()
    asyncio.run(end([leader.pid], 10.0))
    assert alive(members) == members - {leader.pid}


def test_a_process_that_only_its_parent_has_not_asked_after_has_ended(leader: subprocess.Popen[bytes]):
    leader.kill()
    assert asyncio.run(end([leader.pid], 10.0)) is not None
    assert leader.returncode is None


def test_what_does_not_end_is_not_waited_for(leader: subprocess.Popen[bytes]):
    assert asyncio.run(end([leader.pid], 0.0)) is None
