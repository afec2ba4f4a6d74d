"""Limits of control groups, read from trees of files as the kernel lays them out."""

from __future__ import annotations

import pytest

from agent.cgroup import allowances

UNLIMITED_1 = "9223372036854771712"


def write(directory, **files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(f"{text}\n")


def version_2(directory, limit, current, *, high="max", inactive=0, active=0, mapped=0):
    stat = f"anon 1\nfile_mapped {mapped}\ninactive_file {inactive}\nactive_file {active}"
    write(directory, memory__max=limit, memory__high=high, memory__current=current, memory__stat=stat)


def version_1(directory, limit, usage, *, inactive=0, active=0, mapped=0):
    stat = (
        f"inactive_file 7\nmapped_file 7\ntotal_mapped_file {mapped}\n"
        f"total_inactive_file {inactive}\ntotal_active_file {active}"
    )
    write(directory, memory__limit_in_bytes=limit, memory__usage_in_bytes=usage, memory__stat=stat)


@pytest.fixture
def found(tmp_path):
    def read(membership):
        (tmp_path / "cgroup").write_text(membership)
        return list(allowances(tmp_path / "cgroup", tmp_path / "trees"))

    return read


def test_every_limit_from_our_group_outwards_counts(tmp_path, found):
    trees = tmp_path / "trees"
    version_2(trees / "user" / "parley", 4000, 1000)
    version_2(trees / "user", 9000, 8500)
    version_2(trees / "other", 1, 1)
    version_2(tmp_path, 1, 1)
    assert found("0::/user/parley\n") == [(4000, 3000), (9000, 500)]


def test_a_group_without_a_limit_takes_nothing_away(tmp_path, found):
    version_2(tmp_path / "trees" / "parley", "max", 1000)
    assert found("0::/parley\n") == []


def test_the_lower_of_the_limit_that_kills_and_the_one_that_slows_down_counts(tmp_path, found):
    version_2(tmp_path / "trees" / "parley", 4000, 1000, high=3000)
    assert found("0::/parley\n") == [(3000, 2000)]


def test_cached_files_are_free_unless_they_are_mapped(tmp_path, found):
    version_2(tmp_path / "trees" / "parley", 4000, 3000, inactive=1500, active=500, mapped=1200)
    assert found("0::/parley\n") == [(4000, 1800)]


def test_a_container_that_sees_its_group_as_the_root_finds_the_limit_there(tmp_path, found):
    version_2(tmp_path / "trees", 4000, 1000)
    assert found("0::/\n") == [(4000, 3000)]
    assert found("0::/docker/of/the/host\n") == [(4000, 3000)]


def test_version_1_has_a_tree_of_its_own_for_memory(tmp_path, found):
    trees = tmp_path / "trees"
    version_1(trees / "memory" / "docker", 4000, 3000, inactive=1500, active=500, mapped=1200)
    version_1(trees / "memory", UNLIMITED_1, 5000)
    first, outermost = found("12:cpu,cpuacct:/x\n4:memory:/docker\n0::/x\n")
    assert first == (4000, 1800)
    assert outermost.total == int(UNLIMITED_1)


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert list(allowances(tmp_path / "none", tmp_path)) == []
