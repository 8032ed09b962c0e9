"""Every error that Sightline raises on purpose.

    SightlineError                 the run cannot go on; the message names the thing, its value and the remedy
    ├── ConfigError                params.yaml or --set: unknown name, wrong type, value out of range
    ├── ProjectError               no project here, a file of the project is missing or is not ours
    ├── DataError                  a folder, a manifest or a shard that cannot be used
    │   ├── Damaged                something stored is missing or not as it was written
    │   └── ValidationFailed       Great Expectations said no (carries the verdict's sentences)
    ├── ModelError                 unknown network, weights that do not fit or were tampered with
    └── RegistryError              MLflow registry, promotion and ledger
        └── Stale                  evidence that is no longer about the present champion or test release

The command line prints the message of a `SightlineError` without a traceback and exits with 2; anything else is a
bug and is shown whole, passwords in addresses masked in both.
"""

from __future__ import annotations

from sightline.masking import masked


class SightlineError(Exception):
    """The run cannot go on for a reason that the user can mend."""

    def __init__(self, message: str = "") -> None:
        """Keep `message` without passwords: it is printed, logged and stored."""
        super().__init__(masked(message))


class ConfigError(SightlineError):
    """A value in `params.yaml` or `--set` is unknown, of the wrong type or out of range."""


class ProjectError(SightlineError):
    """The project folder is missing something that the command needs."""


class DataError(SightlineError):
    """A folder, manifest or shard cannot be used as it is."""


class Damaged(DataError):
    """Something stored is missing, or not as it was written."""


class ValidationFailed(DataError):
    """A critical expectation failed: nothing may be trained on this data set version."""


class ModelError(SightlineError):
    """A network or its weights cannot be used."""


class RegistryError(SightlineError):
    """The registry or the promotion ledger refused."""


class Stale(RegistryError):
    """Evidence is no longer about the present champion or test release: the gate has to run again."""
