"""The shape of events: frozen facts, each published by one module."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

from agent import events

ROOT = Path(events.__file__).parent.parent
EVENTS = [
    value
    for value in vars(events).values()
    if inspect.isclass(value) and issubclass(value, events.Event) and value is not events.Event
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_is_a_frozen_fact_with_a_sentence_of_its_own(event: type):
    assert dataclasses.is_dataclass(event)
    assert event.__dataclass_params__.frozen
    assert hasattr(event, "__slots__")
    assert event.__doc__
    assert all(field.kw_only for field in dataclasses.fields(event))


def publishers() -> dict[str, set[str]]:
    """Which modules construct which events."""
    names = {event.__name__ for event in EVENTS}
    found: dict[str, set[str]] = {name: set() for name in names}
    for path in [*ROOT.glob("agent/**/*.py"), *ROOT.glob("routines/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                found[node.func.id].add(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize(("name", "modules"), publishers().items())
def test_an_event_is_published_by_one_module(name: str, modules: set[str]):
    assert len(modules) == 1, f"{name} is made in {sorted(modules)}"
