"""Every error of Parley's own.

    ParleyError
    ├── SettingsError          exit 2
    ├── PersonalityError       exit 2
    ├── ModelMissing           exit 3
    ├── DeviceError            exit 4
    ├── AlreadyRunning         exit 5
    ├── NotRunning             exit 6
    └── EngineError
        ├── EngineFailed
        ├── EngineHung
        ├── OutOfMemory
        ├── WorkerDied
        └── LeaseRefused

A message says what was wrong, where, and what to do. It never holds what a user said.
"""


class ParleyError(Exception):
    """Something the user can be told about in one sentence."""

    exit_code = 1


class SettingsError(ParleyError):
    """A setting is unknown or has a value it cannot have."""

    exit_code = 2


class PersonalityError(ParleyError):
    """A personality file is missing or broken."""

    exit_code = 2


class ModelMissing(ParleyError):
    """A model that was asked for by name is not on this machine."""

    exit_code = 3


class DeviceError(ParleyError):
    """A device that was asked for by name is not there or cannot be used."""

    exit_code = 4


class AlreadyRunning(ParleyError):
    """Another instance holds the control socket."""

    exit_code = 5


class NotRunning(ParleyError):
    """A command was given for a companion that does not run."""

    exit_code = 6


class EngineError(ParleyError):
    """A model could not do what it was asked; the turn is declined and the next one works."""


class EngineFailed(EngineError):
    """The engine raised."""


class EngineHung(EngineError):
    """The engine did not answer in time, and its process was killed."""


class OutOfMemory(EngineError):
    """The model did not fit into memory when it was loaded; in a smaller form it may."""


class WorkerDied(EngineError):
    """The worker's process ended."""


class LeaseRefused(EngineError):
    """The scheduler could not grant a lease before its deadline."""
