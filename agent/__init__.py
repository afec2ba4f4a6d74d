"""Parley: a voice companion that listens, thinks and speaks on one desktop."""

__version__ = "0.1.0"
