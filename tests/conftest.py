"""Fixtures for everyone."""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as workers have it; some tests load engines in this process

pytest_plugins = ("tests.pulse",)
