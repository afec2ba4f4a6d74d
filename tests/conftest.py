"""Fixtures for everyone."""

from __future__ import annotations

pytest_plugins = ("tests.pulse",)
