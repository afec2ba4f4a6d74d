"""Which changes make a mutant."""

from __future__ import annotations

import pytest

from scripts.leasing_proof.mutants import MODULES, mutants, mutants_of


def changes(source, rule):
    return [(one.was, one.became) for one in mutants_of("leasing", source) if one.rule == rule]


@pytest.mark.parametrize(
    ("rule", "source", "expected"),
    [
        ("comparison", "def f(a, b): return a < b", [("a < b", "a <= b"), ("a < b", "a >= b")]),
        ("comparison", "def f(a, b): return a is b", [("a is b", "a is not b")]),
        ("boolean", "def f(a, b): return a and b", [("a and b", "a or b"), ("a", "not a"), ("b", "not b")]),
        ("boolean", "def f(a): return not a", [("not a", "a")]),
        ("boolean", "def f(a): return 1 if a else 2", [("a", "not a")]),
        ("constant", "def f(): return 2.0, True, 'word', None", [("2.0", "3.0"), ("True", "False")]),
        ("constant", "def f(a): return f'{a + 1:.1f}'", []),
        ("arithmetic", "def f(a, b): return a - b", [("a - b", "a + b")]),
        ("swapped arguments", "def f(a, b): return a - b", [("a - b", "b - a")]),
        ("swapped arguments", "def f(a, b): Evict(a, b)", [("Evict(a, b)", "Evict(b, a)")]),
        ("swapped arguments", "def f(a, b): Suspend(a, b)", []),
        (
            "swapped arguments",
            "def f(h, a, b): failed(h, h, started_at=a, now=b)",
            [("failed(h, h, started_at=a, now=b)", "failed(h, h, started_at=b, now=a)")],
        ),
        ("deletion", "def f(a):\n    a = a.b\n    c = a\n    return c", [("a = a.b", "pass")]),
        ("deletion", "def f(a):\n    if a:\n        return 1\n    return 2", [("if a: …", "pass")]),
        ("deletion", "def f(a):\n    if a:\n        return 1\n    else:\n        return 2", []),
        ("deletion", "def f(a):\n    'Words.'\n    a.b()", [("a.b()", "pass")]),
    ],
)
def test_each_rule_makes_its_changes(rule, source, expected):
    assert changes(source, rule) == expected


def test_a_mutant_does_something_else():
    (mutant,) = mutants_of("leasing", "def f(a, b): return a == b")
    room = {}
    exec(mutant.code, room)  # noqa: S102
    assert (room["f"](1, 1), room["f"](1, 2)) == (False, True)


def test_types_and_declarations_are_left_alone():
    source = "class A:\n    x: int = 1\ndef f(a: Literal[1]) -> Literal[2]:\n    b: Literal[3] = a\n    return b"
    assert list(mutants_of("leasing", source)) == []


def test_a_mutant_tells_where_it_is():
    (mutant,) = mutants_of("leasing", "def f(a):\n    return a == 'x'")
    assert mutant.place == "agent/policy/leasing.py:2"
    assert mutant.change == "leasing.f: a == 'x' → a != 'x'"


@pytest.mark.parametrize("module", MODULES)
def test_the_core_has_mutants(module):
    assert next(mutants(module)).place.startswith(f"agent/policy/{module}.py:")
